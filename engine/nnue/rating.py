"""What an NNUE network says of positions, and the features that it sees in them, many at a time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.games import Games
from engine.nnue import kernels
from engine.nnue.features import slots
from engine.nnue.network import Nnue, NnueError
from engine.rules import tables


@dataclass(frozen=True)
class Ratings:
    """What a network says of B positions."""

    sums: NDArray[np.int16]
    """int16[B, P * width]: the accumulators (`engine.nnue.accumulator`)."""
    logits: NDArray[np.float32]
    """float32[B, P]: the logit of the chance to win of players 1 .. P."""

    @property
    def chances(self) -> NDArray[np.float32]:
        """float32[B, P]: the chance to win of players 1 .. P."""
        powers = np.exp(self.logits - self.logits.max(axis=1, keepdims=True))
        chances: NDArray[np.float32] = powers / powers.sum(axis=1, keepdims=True)
        return chances


def rate_positions(nnue: Nnue, games: Games) -> Ratings:
    """Rate positions, of games that run or are over. Raise NnueError if they are of another board."""
    check_board(nnue, games)
    players = games.config.players
    sums = np.empty((len(games), players * nnue.width), np.int16)
    logits = np.empty((len(games), players), np.float32)
    arguments = (tables(games.config), games.states, *nnue.arrays, sums, logits)
    games.executor.launch(kernels.rate_positions, len(games), *arguments)
    return Ratings(sums, logits)


def list_features(games: Games) -> NDArray[np.int32]:
    """Return int32[B, P, slots]: the features that are set as each player sees the position; 0 where a slot is empty.

    See `engine.nnue.features.write_features`.
    """
    config = games.config
    width = slots(config.board, config.players)
    found = np.empty((len(games), config.players * width), np.int32)
    games.executor.launch(kernels.list_features, len(games), tables(config), games.states, found)
    return found.reshape(len(games), config.players, width)


def check_board(nnue: Nnue, games: Games) -> None:
    """Raise NnueError if the games are of another board than the network's."""
    if nnue.board != games.config.board:
        raise NnueError(f"a network for {nnue.board} knows nothing of {games.config.board}")
