"""The player that chooses every legal move with the same probability."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine.backend.dialect import Lanes
from engine.games import Games
from engine.players import kernels
from engine.players.player import check_seeds
from engine.rules import move_bound, scratch_width, tables


class UniformPlayer:
    """Chooses every legal move with the same probability. See `Player`."""

    def choose(self, games: Games, seeds: NDArray[np.uint64]) -> NDArray[np.int64]:
        """See `Player.choose`."""
        words = check_seeds(games, seeds)
        chosen = np.empty(len(games), np.int64)
        games.executor.launch(
            kernels.choose_uniformly,
            len(games),
            tables(games.config),
            games.states,
            Lanes(scratch_width(games.config), np.int32),
            Lanes(move_bound(games.config), np.int64),
            words,
            chosen,
        )
        return chosen
