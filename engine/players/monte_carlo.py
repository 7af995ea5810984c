"""Flat Monte Carlo: every legal move is tried in a few random games, and the one that wins most is played."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine.backend.dialect import Lanes
from engine.games import Games
from engine.players import kernels
from engine.players.player import best_in_each
from engine.rules import move_bound, scratch_width, tables

_MAX_PLIES = 32768
"""Longer than any game (`engine.rules.state`)."""


class MonteCarloPlayer:
    """Plays `repeats` random games after each legal move. See `Player`."""

    def __init__(self, repeats: int = 8) -> None:
        if repeats < 1:
            raise ValueError(f"repeats must be at least 1, got {repeats}")
        self._repeats = repeats
        self.name = f"monte-carlo-{repeats}"

    def choose(self, games: Games, seeds: NDArray[np.uint64]) -> NDArray[np.int64]:
        """See `Player.choose`; among moves with equally many wins, the first."""
        legal = games.legal()
        owners = np.repeat(np.arange(len(games)), np.diff(legal.offsets))
        after = games.take(owners)
        after.apply(legal.moves, check=False)
        places = np.arange(len(owners)) - legal.offsets[owners]
        streams = seeds[owners] ^ (places.astype(np.uint64) << np.uint64(32))
        wins = self._play_out(after, streams)
        movers = games.player()[owners]
        return legal.moves[best_in_each(wins[np.arange(len(owners)), movers].astype(np.float32), legal.offsets)]

    def _play_out(self, positions: Games, seeds: NDArray[np.uint64]) -> NDArray[np.int32]:
        """Return int32[positions, players + 1]: how often each player won; column 0: nobody."""
        config = positions.config
        wins = np.zeros((len(positions), config.players + 1), np.int32)
        positions.executor.launch(
            kernels.play_out,
            len(positions),
            tables(config),
            positions.states,
            Lanes(scratch_width(config), np.int32),
            Lanes(move_bound(config), np.int64),
            np.ascontiguousarray(seeds, np.uint64),
            self._repeats,
            _MAX_PLIES,
            Lanes(positions.states.shape[1], np.int16),
            wins,
        )
        return wins
