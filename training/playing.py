"""Many games of one configuration in progress, with every move recorded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.backend.dialect import Kernel, Lanes
from engine.boards import board
from engine.config import Config
from engine.games import Games
from engine.rules import move_bound, scratch_width, tables
from training import kernels


def ply_limit(config: Config) -> int:
    """Return the plies at which a game is cut, without a winner: about ten times the length of a random game."""
    return 32 * len(board(config.board).cells)


@dataclass(frozen=True)
class FinishedGame:
    """A game that is over or at the ply limit."""

    moves: NDArray[np.int64]
    opening: int
    """Random moves at its beginning."""
    winner: int
    """The winning seat, 1 to P; 0 if nobody won."""


class Playing:
    """B games, `games`, and the moves of each so far: `log` int64[B, ply_limit], `lengths` int32[B]."""

    def __init__(self, config: Config, count: int) -> None:
        self.config = config
        self.games = Games.new(config, count)
        self.limit = ply_limit(config)
        self.log: NDArray[np.int64] = np.empty((count, self.limit), np.int64)
        self.lengths = np.zeros(count, np.int32)
        self._rules = (tables(config), Lanes(scratch_width(config), np.int32))
        self._legal = Lanes(move_bound(config), np.int64)

    def play_random(self, plies: NDArray[np.int32], seeds: NDArray[np.uint64]) -> None:
        """Play random moves until each game i is over or has `plies[i]` plies; equal seeds give equal games."""
        limits = np.minimum(plies, self.limit).astype(np.int32)
        self._launch(kernels.play_random, limits, seeds)

    def play_forced(self) -> None:
        """Play forced moves until each game has a choice or is finished."""
        self._launch(kernels.play_forced, self.limit)

    def play(self, where: NDArray[np.int64], moves: NDArray[np.int64]) -> None:
        """Play one legal move in each game at the places `where`; none of them may be finished."""
        self.log[where, self.lengths[where]] = moves
        self.lengths[where] += 1
        batch = self.games.take(where)
        batch.apply(moves, check=False)
        self.games.states[where] = batch.states

    def seeds(self, streams: NDArray[np.uint64], where: NDArray[np.int64]) -> NDArray[np.uint64]:
        """Return a seed for the next move of each game at the places `where`; `streams` has a word for every game."""
        return np.asarray(streams[where] + (self.lengths[where].astype(np.uint64) << np.uint64(32)))

    def finished(self) -> NDArray[np.bool_]:
        """Return bool[B]: whether each game is over or at the ply limit."""
        return np.asarray(self.games.over() | (self.lengths >= self.limit))

    def moves(self, game: int) -> NDArray[np.int64]:
        """Return the moves of one game so far."""
        return self.log[game, : self.lengths[game]].copy()

    def players(self) -> NDArray[np.integer[Any]]:
        """Return [B]: who is to move in each game, 1 to P; 0 where it is over."""
        return self.games.player()

    def positions(self, where: NDArray[np.int64]) -> Games:
        """Return copies of the games at the places `where`."""
        return self.games.take(where)

    def move_at(self, game: int, ply: int) -> int:
        """Return a move of the game at a place, which has been played."""
        return int(self.log[game, ply])

    def finished_games(self, where: NDArray[np.int64], openings: NDArray[np.int32]) -> list[FinishedGame]:
        """Return the games at the places `where`, all finished; `openings` has the random plies of every game."""
        winners = self.games.winner()
        return [FinishedGame(self.moves(i), int(openings[i]), int(winners[i])) for i in where.tolist()]

    def restart(self, where: NDArray[np.int64]) -> None:
        """Begin new games at the places `where`."""
        self.games.states[where] = Games.new(self.games.config, len(where)).states
        self.lengths[where] = 0

    def extend(self, count: int) -> None:
        """Begin so many more games, at new places behind the others."""
        config, states = self.games.config, self.games.states
        self.games = Games(config, np.concatenate([states, Games.new(config, count).states]), self.games.executor)
        self.log = np.concatenate([self.log, np.empty((count, self.limit), np.int64)])
        self.lengths = np.concatenate([self.lengths, np.zeros(count, np.int32)])

    def keep(self, mask: NDArray[np.bool_]) -> None:
        """Drop all games but those of the mask."""
        self.games, self.log, self.lengths = self.games.take(mask), self.log[mask], self.lengths[mask]

    def _launch(self, kernel: Kernel, *arguments: object) -> None:
        batch = (self._legal, *arguments, self.games.states, self.log, self.lengths)
        self.games.executor.launch(kernel, len(self.games), *self._rules, *batch)
