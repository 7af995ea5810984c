"""The interface between search and network: a batch of positions to evaluate, and the evaluation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from engine.config import Config
from engine.games import Games

VALUE_SCALE = 0.1
"""The scale of mctx, for a network of which nothing else is known."""


@dataclass(frozen=True)
class EvalBatch:
    """N positions, each with a choice to make. Features are computed when first read.

    A search uses the memory of `moves` again: who keeps a batch beyond the call copies them.
    """

    states: Games  # the N positions
    offsets: NDArray[np.int32]  # [N + 1]: position i has the moves offsets[i] .. offsets[i + 1]
    moves: NDArray[np.int64]  # [offsets[N]]: legal moves, in the order of `Games.legal`

    @property
    def config(self) -> Config:
        return self.states.config

    @property
    def planes(self) -> NDArray[np.float32]:
        """The planes, float32[N, PLANES, side, side] (`engine.features`)."""
        return self._features[0]

    @property
    def scalars(self) -> NDArray[np.float32]:
        """The scalars, float32[N, SCALARS] (`engine.features`)."""
        return self._features[1]

    @cached_property
    def _features(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        return self.states.features()


@dataclass(frozen=True)
class Evaluation:
    """The logits and values of N positions. Seats are relative to each position's mover, which has index 0."""

    logits: NDArray[np.float32]  # [offsets[N]]: one per legal move, in the batch's order
    values: NDArray[np.float32]  # [N, P]: in [-1, 1]; +1 a sure win, -1 / (P - 1) a sure loss
    value_scale: float = (
        VALUE_SCALE  # c_scale of `engine.search.select`: how much a search follows values against logits
    )


Evaluate = Callable[[EvalBatch], Evaluation]


def chance_of(value: float, players: int) -> float:
    """Return the chance to win that a value means: 1 for a sure win, 0 for a sure loss."""
    return min(1.0, max(0.0, (value * (players - 1) + 1) / players))


def evaluate_uniformly(batch: EvalBatch) -> Evaluation:
    """Evaluate as the built-in model `uniform` does: all legal moves equally good, all positions even."""
    return Evaluation(
        logits=np.zeros(len(batch.moves), np.float32),
        values=np.zeros((len(batch.states), batch.config.players), np.float32),
    )
