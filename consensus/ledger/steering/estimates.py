"""Estimates of playing strength from results: whole numbers with errors, the same at every node.

The unit is a thousandth of Elo: 400 Elo are odds of 10 to 1 against one opponent of equal strength (Bradley and Terry;
with more players Luce, `training.ratings`). The error is a standard error, from the spread between blocks, because the
games of a block share an opening. Two more blocks are counted, one won entirely and one lost entirely, so that a clean
sweep has an estimate, too (the idea of Agresti and Coull, 1998, by blocks; as in `training.arena`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal
from functools import lru_cache
from itertools import pairwise
from math import isqrt

from consensus.ledger.records.entity import Entity
from consensus.ledger.records.ratings import Opponent, Pair, Player, Tally
from consensus.ledger.rules.series import FIXED
from consensus.ledger.views import Views
from consensus.settings import players
from consensus.sprt import EXACT

_ELO = EXACT.divide(Decimal(400_000), EXACT.ln(Decimal(10)))
"""Thousandths of Elo in one unit of the logarithm of odds."""

_PRECISE = 10**18
"""Weights of estimates are this divided by the square of the error."""


@dataclass(frozen=True)
class Estimate:
    """A difference in strength and its standard error, in thousandths of Elo."""

    value: int
    error: int


@lru_cache(maxsize=4096)
def estimate(points: tuple[int, ...], count: int) -> Estimate:
    """Return how much stronger than each opponent a player is that won these points of blocks for `count` players.

    A block has `count` games and gives `count` points for each that is won (`records.ratings.points_of`).
    """
    most = count * count
    blocks, total = len(points) + 2, sum(points) + most
    squares = sum(value * value for value in points) + most * most
    share = EXACT.divide(Decimal(total), Decimal(blocks * most))
    lost = EXACT.subtract(Decimal(1), share)
    odds = EXACT.divide(EXACT.multiply(share, Decimal(count - 1)), lost)
    # the square of the standard error of the mean, times blocks squared times (blocks - 1)
    spread = Decimal(squares * blocks - total * total)
    error = EXACT.sqrt(EXACT.divide(spread, Decimal((blocks - 1) * blocks * blocks * most * most)))
    slope = EXACT.divide(_ELO, EXACT.multiply(share, lost))
    return Estimate(_whole(EXACT.multiply(_ELO, EXACT.ln(odds))), max(1, _whole(EXACT.multiply(slope, error))))


def _whole(number: Decimal) -> int:
    return int(number.to_integral_value(rounding=ROUND_HALF_EVEN, context=EXACT))


def combined(estimates: Iterable[Estimate]) -> Estimate | None:
    """Return the mean of independent estimates of one difference, the better known ones first; None of none."""
    entries = list(estimates)
    if not entries:
        return None
    weights = [max(1, _PRECISE // entry.error**2) for entry in entries]
    total = sum(weights)
    value = sum(weight * entry.value for weight, entry in zip(weights, entries, strict=True)) // total
    return Estimate(value, max(1, isqrt(_PRECISE // total)))


def difference(one: Estimate, other: Estimate) -> Estimate:
    """Return how much stronger the one is, where both are against the same opponent."""
    return Estimate(one.value - other.value, isqrt(one.error**2 + other.error**2))


def scores_of(ledger: Views, configuration: str) -> Scores:
    """Return how strong the models of a configuration are by the results of all its series."""
    return ledger.recall(_scores, configuration, results_of(ledger, configuration))


def results_of(ledger: Views, configuration: str) -> tuple[Entity, ...]:
    """Return the records from which everything follows that is known of the strength of a configuration's models.

    They are the same ones as before while they are equal: who plays a series now does not matter.
    """
    return ledger.remember(_results_of, configuration)


def _results_of(ledger: Views, configuration: str) -> tuple[Entity, ...]:
    played = (entry.tally for entry in ledger.series(configuration))
    return ledger.same(_results_of, configuration, (ledger.ratings(configuration), *played))


def _scores(ledger: Views, configuration: str) -> Scores:
    return Scores(ledger.tallies(configuration))


def summed(estimates: Iterable[Estimate]) -> Estimate:
    """Return the sum of independent estimates."""
    entries = list(estimates)
    return Estimate(sum(entry.value for entry in entries), isqrt(sum(entry.error**2 for entry in entries)))


class Scores:
    """How strong each model of a configuration is against each opponent.

    Of a pair's series all blocks count. Where a model played with several settings, those with the most blocks do.
    """

    def __init__(self, tallies: Iterable[Tally]) -> None:
        by_pair: dict[bytes, tuple[Pair, tuple[int, ...]]] = {}
        for tally in tallies:
            pair, points = by_pair.get(tally.pair.fingerprint, (tally.pair, ()))
            by_pair[tally.pair.fingerprint] = pair, points + tally.points
        self._points: dict[tuple[object, ...], tuple[int, ...]] = {}
        self._played: dict[bytes, set[bytes]] = {}  # by model, the other models that it played
        self._players = 0
        self._gains: dict[tuple[bytes, ...], Estimate | None] = {}
        for pair, points in by_pair.values():
            key = pair.model, pair.player, pair.opponent, pair.opponent_model
            self._players = players(pair.configuration)
            if len(points) > len(self._points.get(key, ())):
                self._points[key] = points
                if pair.opponent_model is not None:
                    self._played.setdefault(pair.model, set()).add(pair.opponent_model)

    def against(
        self, model: bytes, opponent: Opponent, *, player: Player = "search", other: bytes | None = None
    ) -> Estimate | None:
        """Return how much stronger than an opponent a model is; None if it has played no block that counts."""
        points = self._points.get((model, player, opponent, other))
        return None if points is None else estimate(points, self._players)

    def gain(self, path: Sequence[bytes]) -> Estimate | None:
        """Return how much stronger the last of some models is than the first; None if nothing says so.

        Each replaced the one before it in the path. The two are compared by their scores against the fixed opponents,
        and by games of models against each other: of these two, of both against a third one, or of each against the one
        before it, whichever is known best. A score near all points or none says little, which its error shows: so where
        the fixed opponents are left behind, the games against each other count most.
        """
        key = tuple(path)
        if key not in self._gains:
            self._gains[key] = self._gain(path)
        return self._gains[key]

    def _gain(self, path: Sequence[bytes]) -> Estimate | None:
        if len(path) < 2:
            return Estimate(0, 0)
        found = []
        for opponent in FIXED:
            now, before = self.against(path[-1], opponent), self.against(path[0], opponent)
            if now is not None and before is not None:
                found.append(difference(now, before))
        games = self._gains_by_games(path)
        return combined([*found, min(games, key=lambda entry: entry.error)] if games else found)

    def _gains_by_games(self, path: Sequence[bytes]) -> list[Estimate]:
        """Return what games of models against each other say of the gain, along each way from the last to the first."""
        first, last = path[0], path[-1]
        ways = [[(last, first)], list(pairwise(reversed(path)))]
        found = []
        for way in ways:
            steps = [self.against(model, "model", other=other) for model, other in way]
            known = [step for step in steps if step is not None]
            if len(known) == len(steps):
                found.append(summed(known))
        for other in sorted(self._played.get(last, set()) & self._played.get(first, set())):
            now, before = self.against(last, "model", other=other), self.against(first, "model", other=other)
            if now is not None and before is not None:
                found.append(difference(now, before))
        return found
