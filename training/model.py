"""Model files: weights as safetensors and a JSON file that names the architecture. Nothing is ever unpickled."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save

from engine.features import PLANES, SCALARS
from training.arrays import DataError, read_limited
from training.network import Network, parse_architecture

WEIGHTS: Final = "weights.safetensors"
CONFIG: Final = "config.json"
FORMAT: Final = 2
LARGEST_SCALE: Final = 10.0

_KEYS: Final = {"architecture", "format", "planes", "scalars", "value_scale"}


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
    """Return the network in a directory.

    Raise DataError if a file is missing, has another format, is for other features than the engine's, or
    holds weights that differ from the architecture's in name, shape or type or are not finite.
    """
    architecture, value_scale = _read_config(directory)
    network = Network(architecture)
    network.value_scale = value_scale
    try:
        weights = load(read_limited(directory / WEIGHTS))
    except (SafetensorError, ValueError, KeyError) as error:
        raise DataError(f"not a readable safetensors file ({error})", WEIGHTS) from None
    expected = network.state_dict()
    if set(weights) != set(expected):
        odd = sorted(set(weights) ^ set(expected))[0]
        raise DataError(f"{odd!r} is missing or not part of {architecture}", WEIGHTS)
    for name, tensor in weights.items():
        if tensor.dtype != torch.float32 or tensor.shape != expected[name].shape:
            raise DataError(f"{name!r} has the wrong type or shape for {architecture}", WEIGHTS)
        if not bool(torch.isfinite(tensor).all()):
            raise DataError(f"{name!r} holds a value that is not finite", WEIGHTS)
    network.load_state_dict(weights)
    return network


def _read_config(directory: Path) -> tuple[str, float]:
    """Return the architecture and the value scale in a configuration. Raise DataError if it is not one."""
    try:
        config: Any = json.loads(read_limited(directory / CONFIG))
    except (ValueError, RecursionError) as error:
        raise error if isinstance(error, DataError) else DataError("not JSON", CONFIG) from None
    expected = {"format": FORMAT, "planes": PLANES, "scalars": SCALARS}
    for key, wanted in expected.items() if isinstance(config, dict) else ():
        if config.get(key, wanted) != wanted:
            raise DataError(f"{key} {config[key]!r}, but this program reads {key} {wanted}", CONFIG)
    if not isinstance(config, dict) or set(config) != _KEYS:
        raise DataError(f"expected exactly the keys {', '.join(sorted(_KEYS))}", CONFIG)
    name, value_scale = config["architecture"], config["value_scale"]
    if not isinstance(name, str):
        raise DataError("the architecture is not a name", CONFIG)
    if not isinstance(value_scale, float) or not 0.0 < value_scale <= LARGEST_SCALE:
        raise DataError(
            f"the value scale is {value_scale!r}, expected a number above 0, at most {LARGEST_SCALE}", CONFIG
        )
    try:
        parse_architecture(name)
    except ValueError as error:
        raise DataError(str(error), CONFIG) from None
    return name, value_scale
