"""The protocol of players, and the two ways in which they reduce scores of moves to a choice."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from engine.games import Games


class Player(Protocol):
    """Chooses moves, in many games of one configuration at a time."""

    @property
    def name(self) -> str:
        """Names the player and everything that changes how it plays, such as "search-64"."""
        ...

    def choose(self, games: Games, seeds: NDArray[np.uint64]) -> NDArray[np.int64]:
        """Return a legal move for each game.

        Equal positions and seeds give equal moves, whatever else is in the batch.

        Args:
            games: B positions, none of them over; they are left as they are.
            seeds: uint64[B], what a player's chance in each game is drawn from.

        Returns:
            int64[B].
        """
        ...


def best_in_each(scores: NDArray[np.floating[Any]], offsets: NDArray[np.int32]) -> NDArray[np.int64]:
    """Return for each game the place of its highest score, the first among equals.

    Args:
        scores: float[offsets[B]], of the legal moves of B games, one game after the other.
        offsets: int32[B + 1]; every game has at least one move.

    Returns:
        int64[B]: places in `scores`.
    """
    best = np.maximum.reduceat(scores, offsets[:-1])
    owners = np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))
    places = np.flatnonzero(scores == best[owners])
    _, firsts = np.unique(owners[places], return_index=True)
    return places[firsts]
