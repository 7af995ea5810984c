"""Flat Monte Carlo: every legal move is tried in a few random games, and the one that wins most is played."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine.arguments import within
from engine.backend.dialect import Lanes
from engine.games import Games
from engine.players import kernels
from engine.players.player import Options
from engine.rules import move_bound, scratch_width, state_width, tables

_MOST_REPEATS = 2**30


class MonteCarloPlayer:
    """Plays `repeats` random games to the end after every legal move. See `Player`."""

    def __init__(self, repeats: int = 8) -> None:
        self._repeats = within(repeats, 1, _MOST_REPEATS, "repeats")

    def choose(self, games: Games, seeds: NDArray[np.uint64]) -> NDArray[np.int64]:
        """See `Player.choose`; a move that wins at once comes first, and among equals chance decides."""
        config = games.config
        options = Options.of(games, seeds)
        wins = np.empty(len(options.moves), np.int32)
        games.executor.launch(
            kernels.play_out_moves,
            len(options.moves),
            tables(config),
            games.states,
            Lanes(scratch_width(config), np.int32),
            Lanes(move_bound(config), np.int64),
            options.owners,
            options.moves,
            options.words,
            self._repeats,
            Lanes(state_width(config), np.int16),
            wins,
        )
        return options.best(wins)
