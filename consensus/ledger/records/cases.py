"""Reported slots whose games somebody replayed and found wrong: the case, what each replay found, the proof."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

from consensus.keys import MemberId
from consensus.ledger.records.beacon import slot_blocks
from consensus.ledger.records.entities import Candidacy, Place, SlotResult
from consensus.ledger.records.entity import Entity
from consensus.settings import MatchSettings


@dataclass(frozen=True, kw_only=True)
class SlotReport(Entity):
    """A slot's result with all that it takes to check it. Its fingerprint is what a `finding` names."""

    candidate: bytes
    slot: int
    configuration: str
    settings: MatchSettings
    beacon: bytes
    result: SlotResult

    @property
    def digest(self) -> bytes:
        """What findings name: covers match, seeds, scores, games, and the event that reported them."""
        return self.fingerprint

    @cached_property
    def blocks(self) -> tuple[tuple[int, bytes], ...]:
        """Number and seed of each block that the slot consists of."""
        return slot_blocks(self.beacon, self.candidate, self.slot, self.settings.slot_blocks)

    @property
    def scores(self) -> tuple[tuple[int, int], ...]:
        """Number and reported score of each block."""
        return tuple((number, score) for (number, _), score in zip(self.blocks, self.result.scores, strict=True))


@dataclass(frozen=True)
class Replay(Entity):
    """What a member found when it replayed a slot."""

    author: MemberId
    wrong: bool
    reason: str
    place: Place


@dataclass(frozen=True)
class Case(Entity):
    """A reported slot that members are asked to replay, since one of them found it wrong."""

    report: SlotReport
    author: MemberId  # who opened it
    place: Place
    deadline: int  # by the ledger's clock, ns
    replays: tuple[Replay, ...]  # in order, one of each member at most

    @property
    def id(self) -> bytes:
        """The digest of what is under suspicion."""
        return self.report.digest

    @property
    def accused(self) -> MemberId:
        return self.report.result.author

    def without(self, member: MemberId) -> Case:
        """Return the case as if the member had said nothing."""
        return replace(self, replays=tuple(entry for entry in self.replays if entry.author != member))


@dataclass(frozen=True, kw_only=True)
class Fault(Entity):
    """A result that is proven to be wrong: members of more than 2/3 of the weight replayed it and said so."""

    report: SlotReport
    reason: str  # as the first of them put it
    replays: tuple[Replay, ...]  # theirs, in order
    roster_version: int  # of the roster whose weights counted
    weight: int  # of those members then
    total_weight: int
    place: Place

    @property
    def id(self) -> bytes:
        """The digest of the wrong result."""
        return self.report.digest

    @property
    def accused(self) -> MemberId:
        return self.report.result.author


def report_of(candidacy: Candidacy, number: int) -> SlotReport | None:
    """Return the result of a slot with all that a check needs; None if there is no result."""
    if number >= len(candidacy.slots) or candidacy.beacon is None:
        return None
    result = candidacy.slots[number].result
    if result is None:
        return None
    return SlotReport(
        candidate=candidacy.id,
        slot=number,
        configuration=candidacy.configuration,
        settings=candidacy.settings,
        beacon=candidacy.beacon,
        result=result,
    )
