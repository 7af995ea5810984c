"""The heuristic player: tries every legal move, and plays the one after which a weighted sum of features is best.

One ply deep and without a network, it is the yardstick to which ratings refer. The weights were set by hand.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine.backend.dialect import Lanes
from engine.games import Games
from engine.players import heuristic_features as feature
from engine.players import kernels
from engine.players.heuristic_features import FEATURES
from engine.players.player import Options
from engine.rules import scratch_width, state_width, tables

WEIGHTS = {
    feature.WON: 100.0,
    feature.ELIMINATED_RINGS: 3.0,
    feature.TERRITORY_HELD: 3.0,
    feature.NEAR_WIN: 6.0,
    feature.STACK_COUNT: 1.5,
    feature.NO_STACK: -4.0,
    feature.ONE_STACK: -0.8,
    feature.HEIGHTS: 0.5,
    feature.CAPS: 1.0,
    feature.MARKER_COUNT: 0.8,
    feature.RINGS_IN_HAND: 0.3,
    feature.RINGS_BURIED: 0.1,
    feature.REACH: 0.6,
    feature.CAPTURES: 0.6,
    feature.EXPOSED: -0.8,
    feature.MARKER_PAIRS: 0.3,
    feature.MARKER_TRIPLES: 0.4,
    feature.CENTRE: 0.2,
    feature.STACK_PAIRS: 0.1,
    feature.EXCLUSIVE_ROUNDS: 1.0,
    feature.STUCK: -1.0,
}
"""The weight of each feature, for the player who moves; the strongest opponent's sum counts against it."""

_GRAIN = 1e-4
"""Scores that differ by less count as equal: a position and its mirror image sum up in another order."""


class HeuristicPlayer:
    """Plays the move after which a weighted sum of features is best. See `Player`."""

    def choose(self, games: Games, seeds: NDArray[np.uint64]) -> NDArray[np.int64]:
        """See `Player.choose`; among equally good moves chance decides."""
        options = Options.of(games, seeds)
        return options.best(np.rint(score_moves(games, options.owners, options.moves) / _GRAIN))


def score_moves(games: Games, owners: NDArray[np.int32], moves: NDArray[np.int64]) -> NDArray[np.float32]:
    """Return float32[M], the weighted sum after each move, for the player who makes it.

    Args:
        games: B positions, left as they are.
        owners: int32[M], the place of each move's game.
        moves: int64[M], legal moves.
    """
    config = games.config
    scores = np.empty(len(moves), np.float32)
    games.executor.launch(
        kernels.score_moves,
        len(moves),
        tables(config),
        games.states,
        Lanes(scratch_width(config), np.int32),
        owners,
        moves,
        np.array([WEIGHTS[number] for number in range(FEATURES)], np.float32),
        Lanes(state_width(config), np.int16),
        Lanes(config.players * FEATURES, np.float32),
        scores,
    )
    return scores


def describe(positions: Games) -> NDArray[np.float32]:
    """Return float32[B, P, FEATURES], the features of each player (`engine.players.heuristic_features`)."""
    players = positions.config.players
    features = np.zeros((len(positions), players * FEATURES), np.float32)
    arguments = (tables(positions.config), positions.states, features)
    positions.executor.launch(kernels.describe_positions, len(positions), *arguments)
    return features.reshape(len(positions), players, FEATURES)
