"""The file of a checkpoint: the stages of the networks that a job trains, under its digest, and never trusted."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from training.arrays import DataError, Stored, read_arrays, read_header, read_limited, write_arrays
from training.drawing import DrawingPlace, place_as_table, place_of_table
from training.losses import Weights
from training.network import Network
from training.stage import Stage
from training.state import TrainingState

KIND: Final = "checkpoint/1"
SUFFIX: Final = ".safetensors"

_PARTS: Final = ("weights", "mean", "square", "average")
_LOSSES: Final = len(fields(Weights))
_MAX_STEPS: Final = 2**53


@dataclass(frozen=True)
class Expected:
    """What a checkpoint has to be of to be gone on from."""

    inputs: bytes  # the digest of what the job trains on (`training.inputs`)
    architecture: str
    networks: int  # that the job trains, one after the other
    steps: int  # of each
    drawings: int  # for each: the own games, and those of each partner


def write_checkpoint(directory: Path, inputs: bytes, stages: Sequence[Stage]) -> Stored:
    """Write the stages of the networks of a job, of which the last one is being trained, to a file in a directory."""
    arrays: dict[str, NDArray[Any]] = {}
    for number, stage in enumerate(stages):
        arrays[f"{number}.losses"] = stage.losses.ravel()
        for part, tensors in _tensors(stage):
            arrays.update((f"{number}.{part}.{name}", tensor.numpy().ravel()) for name, tensor in tensors.items())
    header = {
        "inputs": inputs.hex(),
        "architecture": stages[0].state.architecture,
        "stages": [
            {
                "made": stage.made,
                "steps": stage.state.steps,
                "places": [None if place is None else place_as_table(place) for place in stage.places],
            }
            for stage in stages
        ],
    }
    return write_arrays(directory, KIND, header, arrays)


def read_checkpoint(path: Path, expected: Expected) -> list[Stage]:
    """Return the stages in a file. Raise DataError with one reason if it is damaged, or not what is expected."""
    if hashlib.sha256(read_limited(path)).hexdigest() != path.stem:
        raise DataError("damaged: its bytes are not those that its name says", path.name)
    said = read_header(path)
    if said["kind"] != KIND or not isinstance(said.get("stages"), list):
        raise DataError("not a checkpoint of this version of the program", path.name)
    if said.get("inputs") != expected.inputs.hex() or said.get("architecture") != expected.architecture:
        raise DataError("of a training on other games, or with another parent, seed or settings", path.name)
    if not 0 < len(said["stages"]) <= expected.networks:
        raise DataError(f"{len(said['stages'])} networks, expected 1 to {expected.networks}", path.name)
    shapes = {name: parameter.shape for name, parameter in Network(expected.architecture).named_parameters()}
    _, arrays = read_arrays(path, KIND, _dtypes(shapes, len(said["stages"])))
    try:
        stages = [_stage(table, number, arrays, shapes, expected) for number, table in enumerate(said["stages"])]
    except ValueError as error:
        raise DataError(str(error), path.name) from None
    if any(stage.made != expected.steps for stage in stages[:-1]):
        raise DataError("has a network that was not trained to its end before the next one", path.name)
    return stages


def _tensors(stage: Stage) -> Iterator[tuple[str, Mapping[str, Tensor]]]:
    parts = stage.state.weights, stage.state.mean, stage.state.square, stage.average
    return zip(_PARTS, parts, strict=True)


def _dtypes(shapes: Mapping[str, torch.Size], count: int) -> dict[str, type]:
    dtypes: dict[str, type] = {f"{number}.losses": np.float64 for number in range(count)}
    dtypes.update({f"{n}.{part}.{name}": np.float32 for n in range(count) for part in _PARTS for name in shapes})
    return dtypes


def _stage(
    said: Any, number: int, arrays: Mapping[str, NDArray[Any]], shapes: Mapping[str, torch.Size], expected: Expected
) -> Stage:
    """Return one stage. Raise ValueError with one reason if it is not one of the training that is expected."""
    match said:
        case {"made": made, "steps": steps, "places": list(places), **others} if (
            not others and type(made) is int and type(steps) is int and len(places) == expected.drawings
        ):
            pass
        case _:
            raise ValueError(f"does not say how far network {number} was trained")
    if not 0 < made <= expected.steps or not made <= steps < _MAX_STEPS:
        raise ValueError(f"{made} steps of {expected.steps}, {steps} in all")
    losses = arrays[f"{number}.losses"]
    if len(losses) % _LOSSES or len(losses) > _LOSSES * made or not np.isfinite(losses).all():
        raise ValueError("holds losses that are none")
    if made == expected.steps and len(losses) == 0:
        raise ValueError("holds no losses of a network that was trained to its end")

    def part(name: str) -> dict[str, Tensor]:
        return {key: _tensor(arrays[f"{number}.{name}.{key}"], name, shape) for key, shape in shapes.items()}

    state = TrainingState(expected.architecture, steps, part("weights"), part("mean"), part("square"))
    return Stage(
        made=made,
        state=state,
        average=part("average"),
        losses=losses.reshape(-1, _LOSSES),
        places=tuple(_place(place) for place in places),
    )


def _tensor(array: NDArray[Any], part: str, shape: torch.Size) -> Tensor:
    """Return an array as a tensor. Raise ValueError if its numbers cannot be those of a training."""
    if len(array) != shape.numel():
        raise ValueError(f"a part of {part} has {len(array)} numbers, not {shape.numel()}")
    if not np.isfinite(array).all() or (part == "square" and (array < 0).any()):
        raise ValueError(f"a part of {part} holds a number that cannot be there")
    return torch.from_numpy(array.copy()).view(shape)


def _place(said: Any) -> DrawingPlace | None:
    if said is None:
        return None
    if not isinstance(said, dict):
        raise ValueError("not a place of a drawing")
    return place_of_table(said)
