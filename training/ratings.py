"""Ratings of players from the games they played: the most likely ones, with standard errors.

The model is Luce's choice axiom: seat i of a game wins with probability exp(r_i) / sum of exp(r_j) over its seats,
where r is the strength of the player in that seat. With two players that is the model of Bradley and Terry, on whose
scale 400 points are odds of 10 to 1. A Gaussian prior around the reference player keeps those finite who won, or lost,
every game. The errors take games as independent, and strength as one number: that A beats B, B beats C and C beats A
is beyond the model.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

REFERENCE_RATING = 1500.0
POINTS = 400 / math.log(10)
"""Points of the rating scale in one unit of strength."""

PRIOR_POINTS = 800.0
"""Standard deviation of the prior, in points."""

_MOST_STEPS = 100
_TOLERANCE = 1e-9  # units of strength


@dataclass(frozen=True)
class Rating:
    """A player's rating and its standard error, in points; the reference's error is 0."""

    points: float
    error: float


def rate(games: Iterable[tuple[Sequence[str], int | None]], reference: str) -> dict[str, Rating]:
    """Return the rating of every player of the games, the best first.

    The order of the games does not matter. A game of a player against itself says nothing; one that nobody won counts
    as an equal part of a win for each seat.

    Args:
        games: for each game the players by seat, and the seat of the winner, counted from 0; None if nobody won.
        reference: the player whose rating is `REFERENCE_RATING`.

    Raises:
        ValueError: the reference is in no game.
    """
    counts = Counter((tuple(seats), winner) for seats, winner in games)
    names = sorted({name for seats, _ in counts for name in seats} - {reference})
    if not any(reference in seats for seats, _ in counts):
        raise ValueError(f"no game of {reference}, to which all ratings refer")
    likelihood = _Likelihood(counts, [reference, *names])
    strengths = likelihood.maximise()
    errors = np.sqrt(np.diag(np.linalg.inv(likelihood.curvature(strengths))))
    rated = {reference: Rating(REFERENCE_RATING, 0.0)}
    for name, strength, error in zip(names, strengths.tolist(), errors.tolist(), strict=True):
        rated[name] = Rating(REFERENCE_RATING + POINTS * strength, POINTS * error)
    return dict(sorted(rated.items(), key=lambda entry: (-entry[1].points, entry[0])))


class _Likelihood:
    """The logarithm of the games' likelihood times the prior, a concave function of the strengths.

    The reference's strength is 0; arrays hold those of the others.
    """

    def __init__(self, counts: Counter[tuple[tuple[str, ...], int | None]], names: Sequence[str]) -> None:
        """Take in how often each result occurred. The first of the names is the reference's."""
        places = {name: place for place, name in enumerate(names)}
        tallies: dict[tuple[int, ...], NDArray[np.float64]] = {}
        for seats, winner in sorted(counts, key=repr):
            won = np.full(len(seats), 1 / len(seats)) if winner is None else np.arange(len(seats)) == winner
            tally = tallies.setdefault(tuple(places[name] for name in seats), np.zeros(len(seats)))
            tally += counts[seats, winner] * won
        self._wins = list(tallies.items())
        self._free = len(names) - 1
        self._precision = (POINTS / PRIOR_POINTS) ** 2

    def maximise(self) -> NDArray[np.float64]:
        """Return the most likely strengths, by Newton's method with steps halved until they lead up."""
        strengths = np.zeros(self._free)
        for _ in range(_MOST_STEPS):
            step = np.linalg.solve(self.curvature(strengths), self._gradient(strengths))
            value = self._value(strengths)
            while np.abs(step).max(initial=0.0) > _TOLERANCE and self._value(strengths + step) < value:
                step = step / 2
            if np.abs(step).max(initial=0.0) <= _TOLERANCE:
                break
            strengths = strengths + step
        return strengths

    def curvature(self, strengths: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the negative second derivatives: the inverse of the strengths' covariance at the maximum."""
        total = np.zeros((self._free + 1, self._free + 1))
        for seats, wins in self._wins:
            chances = self._chances(seats, strengths)
            chosen = np.array(seats)
            np.add.at(total, (chosen, chosen), wins.sum() * chances)
            np.add.at(total, (chosen[:, None], chosen), -wins.sum() * np.outer(chances, chances))
        return total[1:, 1:] + self._precision * np.eye(self._free)

    def _gradient(self, strengths: NDArray[np.float64]) -> NDArray[np.float64]:
        total = np.zeros(self._free + 1)
        for seats, wins in self._wins:
            np.add.at(total, np.array(seats), wins - wins.sum() * self._chances(seats, strengths))
        return total[1:] - self._precision * strengths

    def _value(self, strengths: NDArray[np.float64]) -> float:
        games = sum(float(wins @ self._log_chances(seats, strengths)) for seats, wins in self._wins)
        return games - 0.5 * self._precision * float(strengths @ strengths)

    def _chances(self, seats: Sequence[int], strengths: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the probability with which each seat wins."""
        return np.exp(self._log_chances(seats, strengths))

    def _log_chances(self, seats: Sequence[int], strengths: NDArray[np.float64]) -> NDArray[np.float64]:
        values = np.concatenate(((0.0,), strengths))[list(seats)]
        values -= values.max()
        return np.asarray(values - np.log(np.exp(values).sum()), np.float64)
