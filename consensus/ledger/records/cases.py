"""Results in doubt: reported slots that a replay found wrong, the case about each, the findings, the proof."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from consensus.keys import MemberId
from consensus.ledger.records.beacon import slot_blocks
from consensus.ledger.records.entities import Place, SlotResult
from consensus.ledger.records.entity import Entity, Once
from consensus.ledger.records.ratings import Contest
from consensus.roster import Roster
from consensus.settings import MatchSettings


@dataclass(frozen=True, kw_only=True)
class SlotReport(Entity):
    """The result of a slot with all that a check of it needs."""

    candidate: bytes  # or the series
    slot: int
    configuration: str
    settings: MatchSettings
    beacon: bytes
    result: SlotResult

    @property
    def digest(self) -> bytes:
        """The digest that findings name: it covers match, seeds, scores, games, and the event that reported them."""
        return self.fingerprint

    @Once
    def blocks(self) -> tuple[tuple[int, bytes], ...]:
        """The number and the seed of each block of the slot."""
        return slot_blocks(self.beacon, self.candidate, self.slot, self.settings.slot_blocks)

    @property
    def scores(self) -> tuple[tuple[int, int], ...]:
        """The number and the reported score of each block."""
        return tuple((number, score) for (number, _), score in zip(self.blocks, self.result.scores, strict=True))


@dataclass(frozen=True)
class Outcomes(Entity):
    """The newest results of a configuration's matches and series, whose games a training learns from, oldest first."""

    configuration: str
    reports: tuple[SlotReport, ...]


@dataclass(frozen=True)
class Replay(Entity):
    """A member's finding after it replayed a slot."""

    author: MemberId
    wrong: bool
    reason: str
    place: Place


def weigh(roster: Roster, replays: Iterable[Replay]) -> tuple[int, int]:
    """Return the weight of the members that found something wrong, and of those that found it right."""
    found = tuple(replays)
    wrong = roster.weight(entry.author for entry in found if entry.wrong)
    return wrong, roster.weight(entry.author for entry in found) - wrong


def verdict(roster: Roster, replays: Iterable[Replay]) -> Literal["wrong", "right"] | None:
    """Return "wrong" if more than 2/3 of the weight say so, "right" if a third or more does; None: it is open."""
    wrong, right = weigh(roster, replays)
    if 3 * wrong > 2 * roster.total_weight:
        return "wrong"
    return "right" if 3 * right >= roster.total_weight else None


@dataclass(frozen=True)
class Case(Entity):
    """A reported slot that members are asked to replay, because one of them found it wrong."""

    report: SlotReport
    author: MemberId  # who opened it
    place: Place
    deadline: int  # by the ledger's clock, ns
    replays: tuple[Replay, ...]  # in order, at most one by each member

    @property
    def id(self) -> bytes:
        """The digest of the result in doubt."""
        return self.report.digest

    @property
    def accused(self) -> MemberId:
        """The member that reported the result."""
        return self.report.result.author


@dataclass(frozen=True, kw_only=True)
class Fault(Entity):
    """A result that is proven wrong: members of more than 2/3 of the weight replayed it and found it wrong."""

    report: SlotReport
    reason: str  # the one that the first of them gave
    replays: tuple[Replay, ...]  # those that found it wrong, in order
    roster_version: int  # of the roster whose weights counted
    weight: int  # of those members at that time
    total_weight: int
    place: Place

    @property
    def id(self) -> bytes:
        """The digest of the wrong result."""
        return self.report.digest

    @property
    def accused(self) -> MemberId:
        """The member that reported the result."""
        return self.report.result.author


def report_of(contest: Contest, number: int) -> SlotReport | None:
    """Return the result of a slot with all that a check of it needs; None if there is no result."""
    if number >= len(contest.slots) or contest.beacon is None:
        return None
    result = contest.slots[number].result
    if result is None:
        return None
    return SlotReport(
        candidate=contest.id,
        slot=number,
        configuration=contest.configuration,
        settings=contest.settings,
        beacon=contest.beacon,
        result=result,
    )
