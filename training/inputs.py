"""The digest of what a training depends on: who has a checkpoint knows by it whether it is of the same training."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.experience import Experience
from training.settings import TrainSettings
from training.trainer import Joint, Start

_HOW = "processes", "device", "precision", "gpus"
"""Settings that say how a training is computed: a machine with more processes, or with a GPU, may go on."""


def digest_of_inputs(
    experience: Experience, starts: Sequence[Start | None], seed: bytes, settings: TrainSettings, joint: Joint | None
) -> bytes:
    """Return the SHA-256 of all that decides what a training makes: games with their targets, starts, seed, settings.

    `starts` are those of the networks that are trained; None stands for a new one.
    """
    digest = hashlib.sha256(b"ringrift/training inputs/1\n")
    share = 0.0 if joint is None else joint.share
    told = asdict(settings)
    for how in _HOW:
        del told[how]
    said = {"seed": seed.hex(), "settings": told, "share": share, "networks": len(starts)}
    digest.update(json.dumps(said, sort_keys=True).encode())
    for games in (experience, *(joint.experiences if joint is not None else ())):
        digest.update(f"\ngames of {games.config.name}\n".encode())
        _update(digest, ((name, value) for name, value in vars(games).items() if isinstance(value, np.ndarray)))
    for start in starts:
        if start is None:
            continue
        digest.update(f"\nfrom {start.network.architecture}\n".encode())
        _update(digest, ((name, weights.detach().numpy()) for name, weights in start.network.named_parameters()))
        if start.state is not None:
            digest.update(f"\nafter {start.state.steps}\n".encode())
            for part in (start.state.weights, start.state.mean, start.state.square):
                _update(digest, ((name, tensor.numpy()) for name, tensor in part.items()))
    return digest.digest()


def _update(digest: Any, arrays: Iterable[tuple[str, NDArray[Any]]]) -> None:
    for name, array in sorted(arrays, key=lambda entry: entry[0]):
        digest.update(f"\n{name} {array.dtype.str} {list(array.shape)}\n".encode())
        digest.update(np.ascontiguousarray(array))
