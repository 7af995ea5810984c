"""Ratings of players from the games they played: the most likely ones, with standard errors.

The model is Luce's choice axiom: of the players of a game, i wins with probability exp(r_i) / sum of exp(r_j). With two
players that is the model of Bradley and Terry, on whose scale 400 points are odds of 10 to 1. A Gaussian prior around
the anchor keeps players finite that won, or lost, every game.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

ANCHOR_RATING = 1500.0
POINTS = 400 / math.log(10)
"""Points on the rating scale of one unit of strength."""

_PRIOR_POINTS = 800.0
_STEPS = 50


@dataclass(frozen=True)
class Rating:
    """A player's rating and its standard error, in points; the anchor's error is 0."""

    points: float
    error: float


def rate(games: Iterable[tuple[Sequence[str], int]], anchor: str) -> dict[str, Rating]:
    """Return the rating of every player of the games, the best first.

    The order of the games does not matter. A game of a player against itself says nothing.

    Args:
        games: for each game the players by seat, and the seat of the winner, counted from 0.
        anchor: the player whose rating is `ANCHOR_RATING`.

    Raises:
        ValueError: the anchor is in no game.
    """
    counts = _count(games)
    names = sorted({name for seats, _ in counts for name in seats})
    if anchor not in names:
        raise ValueError(f"no game of {anchor}, to which all ratings refer")
    free = [name for name in names if name != anchor]
    strengths, covariance = _maximise(counts, free, anchor)
    rated = {
        name: Rating(ANCHOR_RATING + POINTS * strength, POINTS * math.sqrt(variance))
        for name, strength, variance in zip(free, strengths, np.diag(covariance), strict=True)
    }
    rated[anchor] = Rating(ANCHOR_RATING, 0.0)
    return dict(sorted(rated.items(), key=lambda entry: (-entry[1].points, entry[0])))


def _count(games: Iterable[tuple[Sequence[str], int]]) -> Mapping[tuple[tuple[str, ...], str], int]:
    """Return how often each winner won among the same players."""
    counts: dict[tuple[tuple[str, ...], str], int] = {}
    for seats, winner in games:
        key = tuple(sorted(seats)), seats[winner]
        counts[key] = counts.get(key, 0) + 1
    return dict(sorted(counts.items()))


def _maximise(
    counts: Mapping[tuple[tuple[str, ...], str], int], free: Sequence[str], anchor: str
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the most likely strengths of the `free` players and their covariance, by Newton's method."""
    places = {name: place for place, name in enumerate(free)}
    precision = (POINTS / _PRIOR_POINTS) ** 2
    strengths = np.zeros(len(free))
    hessian = np.eye(len(free)) * precision
    for _ in range(_STEPS):
        gradient, hessian = -precision * strengths, np.eye(len(free)) * precision
        for (seats, winner), count in counts.items():
            share = _shares(seats, places, strengths)
            for name, part in share.items():
                if name in places:
                    gradient[places[name]] += count * ((name == winner) - part)
                    for other, weight in share.items():
                        if other in places:
                            curvature = part * ((name == other) - weight)
                            hessian[places[name], places[other]] += count * curvature
        step = np.linalg.solve(hessian, gradient)
        strengths += np.clip(step, -2, 2)
        if np.abs(step).max(initial=0) < 1e-10:
            break
    return strengths, np.linalg.inv(hessian)


def _shares(seats: Sequence[str], places: Mapping[str, int], strengths: NDArray[np.float64]) -> dict[str, float]:
    """Return the probability with which each of the players of a game wins; the anchor has strength 0."""
    values = np.array([strengths[places[name]] if name in places else 0.0 for name in seats])
    weights = np.exp(values - values.max())
    shares: dict[str, float] = {}
    for name, weight in zip(seats, weights / weights.sum(), strict=True):
        shares[name] = shares.get(name, 0.0) + float(weight)
    return shares
