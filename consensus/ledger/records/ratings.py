"""Ratings: series of games that measure canonical models, what they add up to, and when each became canonical."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import takewhile
from typing import Literal, TypeAlias

from consensus.encoding import encode
from consensus.keys import MemberId
from consensus.ledger.records.entities import Candidacy, Model, Place, Slot
from consensus.ledger.records.entity import Entity, Once
from consensus.settings import MatchSettings, players

Player = Literal["policy", "search"]
Opponent = Literal["random", "heuristic", "model"]


@dataclass(frozen=True)
class Pair(Entity):
    """A player against an opponent, and how they play: results of different pairs are never added up."""

    configuration: str
    model: bytes
    player: Player  # the model's policy alone, or a search with the settings' simulations
    opponent: Opponent  # "model" searches as the player does
    opponent_model: bytes | None  # of the opponent "model", which was canonical before
    settings: MatchSettings

    @property
    def most(self) -> int:
        """The points of a block that is won entirely; `points_of` counts them."""
        return players(self.configuration) ** 2

    def series(self, number: int) -> bytes:
        """Return the digest that names a series of this pair."""
        return hashlib.sha256(encode(["ringrift/series/1", self.fingerprint, number])).digest()


@dataclass(frozen=True, kw_only=True)
class Series(Entity):
    """Blocks of games of a pair: like a match, but they decide nothing."""

    id: bytes
    pair: Pair
    number: int  # 0; fresh games are played after a rollback that failed
    author: MemberId  # who nominated the model, and does not play for it
    place: Place
    slots: tuple[Slot, ...]
    beacon: bytes | None = None
    beacon_round: int = 0
    barred: tuple[MemberId, ...] = ()  # as in a `Candidacy`
    faulty: tuple[MemberId, ...] = ()

    @property
    def configuration(self) -> str:
        """The configuration in which it is played."""
        return self.pair.configuration

    @property
    def settings(self) -> MatchSettings:
        """The settings with which it is played."""
        return self.pair.settings

    @Once
    def points(self) -> tuple[int, ...]:
        """The points of the blocks of the longest complete prefix: which results came first does not matter."""
        return self._points(takewhile(lambda slot: slot.result is not None, self.slots))

    @Once
    def reported(self) -> tuple[int, ...]:
        """The points of all blocks with a result, also of those that do not count yet."""
        return self._points(self.slots)

    def _points(self, slots: Iterable[Slot]) -> tuple[int, ...]:
        results = (slot.result for slot in slots if slot.result is not None)
        return tuple(points_of(self.configuration, score) for result in results for score in result.scores)

    @Once
    def tally(self) -> Tally:
        """Its results as whole numbers."""
        return Tally(self.pair, self.number, self.points)


@dataclass(frozen=True)
class Tally(Entity):
    """The results of a series as whole numbers."""

    pair: Pair
    number: int
    points: tuple[int, ...]  # of each block

    @Once
    def series(self) -> bytes:
        """The digest that names the series."""
        return self.pair.series(self.number)

    @property
    def is_complete(self) -> bool:
        """Whether it has all blocks."""
        return len(self.points) >= self.pair.settings.block_limit


@dataclass(frozen=True, kw_only=True)
class Milestone(Entity):
    """A model that became canonical, and how much self-play its configuration had seen then."""

    configuration: str
    number: int  # of the promotion, from 1
    model: Model
    author: MemberId
    previous: bytes
    cost: int  # of all self-play before, in thousandths of an evaluation
    clock: int  # ns
    failures: int = 0  # how often an earlier model was nominated again and failed


@dataclass(frozen=True)
class Ratings(Entity):
    """The past of a configuration, as far as it is kept: its models, and the results of series that are over."""

    configuration: str
    milestones: tuple[Milestone, ...] = ()  # ascending
    tallies: tuple[Tally, ...] = ()  # by series
    strongest: Milestone | None = None  # of the models before the canonical one, as far as their games tell

    def tally(self, series: bytes) -> Tally | None:
        """Return the results of a series that is over, if they are kept."""
        return next((entry for entry in self.tallies if entry.series == series), None)

    @property
    def compared(self) -> tuple[Milestone, ...]:
        """The canonical model, and the one that it replaced if that is kept."""
        if not self.milestones:
            return ()
        newest = self.milestones[-1]
        before = [entry for entry in self.milestones[:-1] if entry.model.digest == newest.previous]
        return (newest, *before[-1:])

    @property
    def kept(self) -> tuple[Milestone, ...]:
        """All of its models that are kept, ascending."""
        best = self.strongest
        is_older = best is not None and best.number < self.milestones[0].number
        return (best, *self.milestones) if best is not None and is_older else self.milestones

    @property
    def challengers(self) -> tuple[Milestone, ...]:
        """The earlier models that the canonical one plays: the strongest, and the one that it replaced."""
        if not self.milestones:
            return ()
        newest, *before = self.compared
        entries = before if self.strongest is None else [self.strongest, *before]
        others = {entry.model.digest: entry for entry in reversed(entries) if entry.model.digest != newest.model.digest}
        return tuple(reversed(others.values()))


Contest: TypeAlias = Candidacy | Series
"""What is played in slots: a match, or a series."""


def points_of(configuration: str, score: int) -> int:
    """Return the points of a block with this score: P for each game won and 1 for each that nobody won, of P games.

    With three or more players a game that is lost scores too, because the other opponents do not win either.
    """
    count = players(configuration)
    return score - count * (count - 2)
