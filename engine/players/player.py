"""The protocol of players, and the moves among which they choose."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from engine.arguments import integers
from engine.games import Games
from engine.search.noise import stream_words


class Player(Protocol):
    """Chooses moves, in many games of one configuration at a time."""

    def choose(self, games: Games, seeds: NDArray[np.uint64]) -> NDArray[np.int64]:
        """Return a legal move for each game.

        Equal positions and seeds give equal moves, whatever else is in the batch; a player that asks a network keeps
        this promise as far as the network does.

        Args:
            games: B positions, left as they are.
            seeds: uint64[B]: all chance in a game comes from its seed. Take another one at every move.

        Returns:
            int64[B].

        Raises:
            ValueError: a game is over, or the seeds are not one for each game.
        """
        ...


@dataclass(frozen=True)
class Options:
    """The legal moves of B games, one game after the other: M in all, at least one for each game."""

    offsets: NDArray[np.int32]
    """int32[B + 1]: where the moves of each game begin."""
    moves: NDArray[np.int64]
    """int64[M]."""
    owners: NDArray[np.int32]
    """int32[M]: the place of each move's game."""
    words: NDArray[np.uint64]
    """uint64[M]: a random word for each move, from its game's seed and its place among the game's moves."""

    @classmethod
    def of(cls, games: Games, seeds: NDArray[np.uint64]) -> Options:
        """Return the options in each game. Raise ValueError as `Player.choose` does."""
        words = check_seeds(games, seeds)
        legal = games.legal()
        owners = np.repeat(np.arange(len(games), dtype=np.int32), np.diff(legal.offsets))
        places = np.arange(len(owners)) - legal.offsets[owners]
        return cls(legal.offsets, legal.moves, owners, stream_words(words[owners], places))

    def best(self, scores: NDArray[np.number[Any]]) -> NDArray[np.int64]:
        """Return int64[B]: the move of the highest score in each game; among equals, that of the greatest word.

        Args:
            scores: [M], none of them NaN.
        """
        starts = self.offsets[:-1]
        is_best = scores == np.maximum.reduceat(scores, starts)[self.owners]
        words = np.where(is_best, self.words, np.uint64(0))
        is_chosen = is_best & (words == np.maximum.reduceat(words, starts)[self.owners])
        return np.asarray(self.moves[is_chosen], np.int64)


def check_seeds(games: Games, seeds: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Return the seeds as an array for kernels. Raise ValueError as `Player.choose` does."""
    words = integers(seeds, np.uint64, "seeds")
    if words.shape != (len(games),):
        raise ValueError(f"{len(games)} games take as many seeds, got {list(words.shape)}")
    if games.over().any():
        raise ValueError(f"game {int(np.argmax(games.over()))} is over, so there is nothing to choose")
    return words
