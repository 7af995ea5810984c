"""NNUE networks as a player, which tries every move, and as what a search asks, without torch."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine.backend.dialect import Lanes
from engine.games import Games
from engine.nnue.network import Nnue
from engine.nnue.rating import rate_positions
from engine.players import kernels
from engine.players.player import Options
from engine.rules import scratch_width, state_width, tables
from engine.search import EvalBatch, Evaluation

_SHARPNESS = 8.0
"""The difference of two logits in the policy of `NnueEvaluator` whose moves lead to a sure win and a sure loss."""


class NnuePlayer:
    """Plays the move after which an NNUE network gives it the greatest chance to win. See `Player`."""

    def __init__(self, nnue: Nnue) -> None:
        self._nnue = nnue

    @property
    def board(self) -> str:
        """The only board on which it plays."""
        return self._nnue.board

    def choose(self, games: Games, seeds: NDArray[np.uint64]) -> NDArray[np.int64]:
        """See `Player.choose`; among equally good moves chance decides. Raise NnueError for games of another board."""
        options = Options.of(games, seeds)
        sums = rate_positions(self._nnue, games).sums
        return options.best(rate_moves(self._nnue, games, sums, options.owners, options.moves))


class NnueEvaluator:
    """A callback for `gumbel_search`, without torch: values from a network, logits from its ratings of every move."""

    def __init__(self, nnue: Nnue) -> None:
        self._nnue = nnue

    def __call__(self, batch: EvalBatch) -> Evaluation:
        """Return the evaluation. Raise NnueError if the positions are of another board than the network's."""
        games, players = batch.states, batch.config.players
        ratings = rate_positions(self._nnue, games)
        owners = np.repeat(np.arange(len(games), dtype=np.int32), np.diff(batch.offsets))
        scores = rate_moves(self._nnue, games, ratings.sums, owners, batch.moves)
        seats = (games.player()[:, None].astype(np.int64) - 1 + np.arange(players)) % players
        chances = np.take_along_axis(ratings.chances, seats, axis=1)
        values = (chances * np.float32(players) - np.float32(1)) / np.float32(players - 1)
        return Evaluation(np.float32(_SHARPNESS) * scores, values)


def rate_moves(
    nnue: Nnue, games: Games, sums: NDArray[np.int16], owners: NDArray[np.int32], moves: NDArray[np.int64]
) -> NDArray[np.float32]:
    """Return float32[M]: the chance to win after each move of the player who makes it; 2 if it wins, -1 if it loses.

    Args:
        sums: the accumulators of the games (`rate_positions`).
        owners: int32[M]: the place of each move's game.
        moves: int64[M].
    """
    config = games.config
    scores = np.empty(len(moves), np.float32)
    games.executor.launch(
        kernels.rate_moves,
        len(moves),
        tables(config),
        games.states,
        Lanes(scratch_width(config), np.int32),
        owners,
        moves,
        sums,
        nnue.weights,
        nnue.top,
        nnue.layers,
        Lanes(state_width(config), np.int16),
        Lanes(config.players * nnue.width, np.int16),
        Lanes(config.players, np.float32),
        scores,
    )
    return scores
