"""Model files: weights as safetensors and a JSON file that names the architecture. Nothing is ever unpickled."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from engine.features import PLANES, SCALARS
from engine.search import VALUE_SCALE
from training.arrays import DataError, read_limited
from training.migration import migrate_format_1, shapes_of_format_1
from training.network import Network, parse_architecture

WEIGHTS: Final = "weights.safetensors"
CONFIG: Final = "config.json"
FORMAT: Final = 2
LARGEST_SCALE: Final = 10.0

_KEYS: Final = {
    1: {"architecture", "format", "planes", "scalars"},
    2: {"architecture", "format", "planes", "scalars", "value_scale"},
}
"""The keys of a configuration, by its format."""


@dataclass(frozen=True)
class ModelFiles:
    """The files of a saved model and the SHA-256 of each."""

    files: dict[str, Path]
    digests: dict[str, bytes]


def save_model(directory: Path, network: Network) -> ModelFiles:
    """Write the network's weights and configuration to a directory; equal weights give equal bytes."""
    directory.mkdir(parents=True, exist_ok=True)
    config = {
        "architecture": network.architecture,
        "format": FORMAT,
        "planes": PLANES,
        "scalars": SCALARS,
        "value_scale": network.value_scale,
    }
    weights = {name: tensor.detach().cpu().contiguous() for name, tensor in network.state_dict().items()}
    contents = {WEIGHTS: save(weights), CONFIG: (json.dumps(config, sort_keys=True) + "\n").encode()}
    for name, data in contents.items():
        (directory / name).write_bytes(data)
    return ModelFiles(
        files={name: directory / name for name in contents},
        digests={name: hashlib.sha256(data).digest() for name, data in contents.items()},
    )


def load_model(directory: Path) -> Network:
    """Return the network in a directory; weights of format 1 are migrated (`training.migration`).

    Raise DataError if a file is missing, has another format, is for other features than the engine's, or
    holds weights that differ from the architecture's in name, shape or type or are not finite.
    """
    description = _read_config(directory)
    network = Network(description.architecture)
    network.value_scale = description.value_scale
    if description.format == 1:
        weights = _read_weights(directory, shapes_of_format_1(network), description.architecture)
        network.load_state_dict(migrate_format_1(weights, network))
    else:
        shapes = {name: tensor.shape for name, tensor in network.state_dict().items()}
        network.load_state_dict(_read_weights(directory, shapes, description.architecture))
    return network


def _read_weights(directory: Path, shapes: Mapping[str, torch.Size], architecture: str) -> dict[str, Tensor]:
    try:
        weights: dict[str, Tensor] = load(read_limited(directory / WEIGHTS))
    except (SafetensorError, ValueError, KeyError) as error:
        raise DataError(f"not a readable safetensors file ({error})", WEIGHTS) from None
    if set(weights) != set(shapes):
        odd = sorted(set(weights) ^ set(shapes))[0]
        raise DataError(f"{odd!r} is missing or not part of {architecture}", WEIGHTS)
    for name, tensor in weights.items():
        if tensor.dtype != torch.float32 or tensor.shape != shapes[name]:
            raise DataError(f"{name!r} has the wrong type or shape for {architecture}", WEIGHTS)
        if not bool(torch.isfinite(tensor).all()):
            raise DataError(f"{name!r} holds a value that is not finite", WEIGHTS)
    return weights


@dataclass(frozen=True)
class _Description:
    """The contents of a configuration."""

    format: int
    architecture: str
    value_scale: float


def _read_config(directory: Path) -> _Description:
    """Return what a configuration says. Raise DataError if it is not one."""
    try:
        config: Any = json.loads(read_limited(directory / CONFIG))
    except (ValueError, RecursionError) as error:
        raise error if isinstance(error, DataError) else DataError(f"not JSON ({error})", CONFIG) from None
    if not isinstance(config, dict) or type(config.get("format")) is not int or config["format"] not in _KEYS:
        found = config.get("format") if isinstance(config, dict) else None
        raise DataError(f"format {found!r}, but this program reads the formats 1 to {FORMAT}", CONFIG)
    if set(config) != _KEYS[config["format"]]:
        raise DataError(f"expected exactly the keys {', '.join(sorted(_KEYS[config['format']]))}", CONFIG)
    for key, wanted in (("planes", PLANES), ("scalars", SCALARS)):
        if config[key] != wanted:
            raise DataError(f"{key} {config[key]!r}, but this program reads {key} {wanted}", CONFIG)
    return _Description(config["format"], _architecture(config), _value_scale(config))


def _architecture(config: Mapping[str, Any]) -> str:
    name = config["architecture"]
    if not isinstance(name, str):
        raise DataError("the architecture is not a name", CONFIG)
    try:
        parse_architecture(name)
    except ValueError as error:
        raise DataError(str(error), CONFIG) from None
    return name


def _value_scale(config: Mapping[str, Any]) -> float:
    scale = config.get("value_scale", VALUE_SCALE)
    if not isinstance(scale, float) or not 0.0 < scale <= LARGEST_SCALE:
        raise DataError(f"the value scale is {scale!r}, expected a number above 0, at most {LARGEST_SCALE}", CONFIG)
    return scale
