"""The state of a training, which lets a later one go on where this one ended: weights, moments and steps.

A model holds averaged weights. Here are the ones that the optimizer changes, with its moments, so that a lineage of
models is one long training, whichever machines take part in it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import torch
from torch import Tensor

from training.arrays import DataError, Stored, read_arrays, write_arrays
from training.network import Network

KIND: Final = "training/1"

_PARTS: Final = ("weights", "mean", "square")


@dataclass(frozen=True)
class TrainingState:
    """The optimizer's state after `steps` steps: for each parameter of a network, by name, a tensor of its shape."""

    architecture: str
    steps: int
    weights: Mapping[str, Tensor]
    mean: Mapping[str, Tensor]  # the moving average of the gradient
    square: Mapping[str, Tensor]  # the moving average of its square


def capture_state(network: Network, optimizer: torch.optim.Optimizer, steps: int) -> TrainingState:
    """Return a copy of the state of a network and of its optimizer, which must have made at least one step."""
    named = list(network.named_parameters())
    return TrainingState(
        architecture=network.architecture,
        steps=steps,
        weights={name: parameter.detach().clone() for name, parameter in named},
        mean={name: optimizer.state[parameter]["exp_avg"].clone() for name, parameter in named},
        square={name: optimizer.state[parameter]["exp_avg_sq"].clone() for name, parameter in named},
    )


@torch.no_grad()
def restore_state(state: TrainingState, network: Network, optimizer: torch.optim.Optimizer) -> None:
    """Give the state to a network of its architecture and to a new optimizer of its parameters."""
    for name, parameter in network.named_parameters():
        parameter.copy_(state.weights[name])
        optimizer.state[parameter] = {
            "step": torch.tensor(float(state.steps)),
            "exp_avg": state.mean[name].clone(),
            "exp_avg_sq": state.square[name].clone(),
        }


def write_state(directory: Path, state: TrainingState) -> Stored:
    """Write the state to a directory, in a file named by its digest."""
    arrays = {
        f"{part}.{name}": tensor.numpy().ravel() for part in _PARTS for name, tensor in getattr(state, part).items()
    }
    return write_arrays(directory, KIND, {"architecture": state.architecture, "steps": state.steps}, arrays)


def read_state(path: Path, architecture: str) -> TrainingState:
    """Return the state in a file. Raise DataError with one reason if it is not one of this architecture."""
    shapes = {name: parameter.shape for name, parameter in Network(architecture).named_parameters()}
    header, arrays = read_arrays(path, KIND, {f"{part}.{name}": np.float32 for part in _PARTS for name in shapes})
    if header.get("architecture") != architecture:
        raise DataError(f"a training of {header.get('architecture')!r}, not of {architecture}", path.name)
    steps = header.get("steps")
    if type(steps) is not int or not 0 < steps < 2**53:
        raise DataError(f"{steps!r} steps, expected a whole number from 1", path.name)
    for name, array in arrays.items():
        wanted = shapes[name.partition(".")[2]].numel()
        if len(array) != wanted:
            raise DataError(f"{name!r} has {len(array)} numbers, {architecture} needs {wanted}", path.name)
        if not np.isfinite(array).all():
            raise DataError(f"{name!r} holds a number that is not finite", path.name)
        if name.startswith("square.") and (array < 0).any():
            raise DataError(f"{name!r} holds a negative mean of squares", path.name)

    def part(prefix: str, names: Iterable[str] = shapes) -> dict[str, Tensor]:
        return {name: torch.from_numpy(arrays[f"{prefix}.{name}"].copy()).view(shapes[name]) for name in names}

    return TrainingState(architecture, steps, part("weights"), part("mean"), part("square"))
