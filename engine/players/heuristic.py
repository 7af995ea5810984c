"""The heuristic player: tries every legal move, and plays the one after which a weighted sum of features is best.

One ply deep and without a network, it is the yardstick of rating 1500. The weights were fitted to the outcomes of
its own games (`scripts/fit_heuristic`).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine.games import Games
from engine.players import kernels
from engine.players.heuristic_features import FEATURES
from engine.players.player import best_in_each
from engine.rules import tables

WEIGHTS = np.array(
    [
        100.0,  # won
        3.0,  # eliminated
        3.0,  # territory
        6.0,  # near to winning
        1.5,  # stacks
        -4.0,  # no stack
        -0.8,  # a single stack
        0.5,  # heights
        1.0,  # caps
        0.8,  # markers
        0.3,  # rings in hand
        0.1,  # rings buried
        0.6,  # reach
        0.6,  # captures
        -0.8,  # exposed stacks
        0.3,  # pairs of markers
        0.4,  # triples of markers
        0.2,  # near the centre
        0.1,  # neighbouring stacks
        1.0,  # exclusive rounds
        -1.0,  # stuck
    ],
    np.float32,
)
"""Weights of the features of `engine.players.heuristic_features`, for the mover; the others' count against it."""

_TIE_BREAK = 1e-4
"""Scale of the noise that draws among moves of equal score."""

_MOST_POSITIONS = 65_536
"""Positions held at a time: about 100 MB on the largest board."""


class HeuristicPlayer:
    """See `Player`."""

    def __init__(self, weights: NDArray[np.float32] = WEIGHTS, name: str = "heuristic") -> None:
        if weights.shape != (FEATURES,):
            raise ValueError(f"the heuristic has {FEATURES} weights, got {list(weights.shape)}")
        self._weights = weights
        self.name = name

    def choose(self, games: Games, seeds: NDArray[np.uint64]) -> NDArray[np.int64]:
        """See `Player.choose`; among equally good moves chance decides."""
        legal = games.legal()
        owners = np.repeat(np.arange(len(games)), np.diff(legal.offsets))
        scores = np.empty(len(owners), np.float32)
        movers = games.player()
        for start in range(0, len(owners), _MOST_POSITIONS):
            part = slice(start, start + _MOST_POSITIONS)
            after = games.take(owners[part])
            after.apply(legal.moves[part], check=False)
            scores[part] = self.evaluate(after, movers[owners[part]])
        places = np.arange(len(owners), dtype=np.uint64) - legal.offsets[owners].astype(np.uint64)
        return legal.moves[best_in_each(scores + _noise(seeds[owners], places), legal.offsets)]

    def evaluate(self, positions: Games, players: NDArray[np.integer]) -> NDArray[np.float32]:
        """Return float32[B]: how good each position is for one player (1 .. P) against the strongest other one."""
        sums = describe(positions) @ self._weights
        rows = np.arange(len(positions))
        own = sums[rows, players - 1].copy()
        sums[rows, players - 1] = -np.inf
        return np.asarray(own - sums.max(axis=1), np.float32)


def describe(positions: Games) -> NDArray[np.float32]:
    """Return float32[B, P, FEATURES], the features of each player (`engine.players.heuristic_features`)."""
    players = positions.config.players
    features = np.zeros((len(positions), players * FEATURES), np.float32)
    arguments = (tables(positions.config), positions.states, features)
    positions.executor.launch(kernels.describe_positions, len(positions), *arguments)
    return features.reshape(len(positions), players, FEATURES)


def _noise(seeds: NDArray[np.uint64], places: NDArray[np.uint64]) -> NDArray[np.float32]:
    """Return float32[M] from 0 to `_TIE_BREAK`, from each move's seed and place (the finaliser of SplitMix64)."""
    mixed = seeds + (places + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return ((mixed >> np.uint64(40)).astype(np.float32) * np.float32(2.0**-24 * _TIE_BREAK)).astype(np.float32)
