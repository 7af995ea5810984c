"""A stage of a training: all that its next steps depend on besides its games, seed and settings."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from training.drawing import DrawingPlace
from training.state import TrainingState


@dataclass(frozen=True, kw_only=True)
class Stage:
    """A training after `made` of its steps. `places` are those of its games and of each partner's."""

    made: int
    state: TrainingState  # its steps count those of earlier trainings, too
    average: Mapping[str, Tensor]  # of the weights, by the names of the parameters
    losses: NDArray[np.float64]  # [n, 4]: of the last steps on the own games, as many as are told of at the end
    places: tuple[DrawingPlace | None, ...]


ObserveStage: TypeAlias = Callable[[Callable[[], Stage]], None]
"""Called after each step, and at the end, with what takes the stage then; it does so before it returns, or within the
next report."""


def ignore_stage(_take: Callable[[], Stage]) -> None:
    """Do nothing: the ObserveStage of callers that keep no checkpoints."""
