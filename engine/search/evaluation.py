"""What a search asks about positions and what it is told: the seam between search and network."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from engine.config import Config
from engine.games import Games


@dataclass(frozen=True)
class EvalBatch:
    """N positions in each of which a player has a choice; features are made when first read."""

    states: Games  # the N positions
    offsets: NDArray[np.int32]  # [N + 1]: position i has the moves offsets[i] .. offsets[i + 1]
    moves: NDArray[np.int64]  # [offsets[N]]: legal moves in the order of the rules' enumeration

    @property
    def config(self) -> Config:
        return self.states.config

    @property
    def planes(self) -> NDArray[np.float32]:
        """float32[N, PLANES, side, side], see `engine.features`."""
        return self._features[0]

    @property
    def scalars(self) -> NDArray[np.float32]:
        """float32[N, SCALARS]."""
        return self._features[1]

    @cached_property
    def _features(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        return self.states.features()


@dataclass(frozen=True)
class Evaluation:
    """A network's answer. Seats are relative to each position's mover: index 0 is the mover, 1 the next."""

    logits: NDArray[np.float32]  # [offsets[N]]: one per legal move, in the batch's order
    values: NDArray[np.float32]  # [N, P]: in [-1, 1]; +1 a sure win, -1 / (P - 1) a sure loss


Evaluate = Callable[[EvalBatch], Evaluation]


def evaluate_uniformly(batch: EvalBatch) -> Evaluation:
    """The built-in model `uniform`: every legal move as good as any other, every position even."""
    return Evaluation(
        logits=np.zeros(len(batch.moves), np.float32),
        values=np.zeros((len(batch.states), batch.config.players), np.float32),
    )
