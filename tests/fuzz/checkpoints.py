"""Checkpoints of trainings as others may hand them over: read, and gone on with."""

from __future__ import annotations

import json
from functools import cache
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from safetensors.numpy import load, save

from engine.config import config
from tests.fuzz.mutations import Mutator
from tests.training.verified import experience_of
from training.checkpoint_file import Expected, read_checkpoint, write_checkpoint
from training.experience import Experience
from training.network import Network
from training.selfplay import play_shard
from training.settings import SelfPlaySettings, TrainSettings
from training.stage import Stage
from training.trainer import Start, train

_SETTINGS = TrainSettings(architecture="c4b1", steps=4, batch=4, positions_per_game=4)
_EXPECTED = Expected(inputs=bytes(32), architecture="c4b1", networks=1, steps=4, drawings=1)
_EDGES = (0.0, -0.0, -1.0, 1e-45, 3e38, -3e38, float("inf"), float("nan"))


@cache
def _games() -> Experience:
    settings = SelfPlaySettings(simulations=2, considered=2, opening_plies=4)
    return experience_of(play_shard(config("hex8-2"), None, bytes(32), bytes(32), 2, settings))


@cache
def _start() -> Start:
    torch.manual_seed(1)
    return Start(Network("c4b1"))


@cache
def samples() -> list[bytes]:
    """A checkpoint after each step of a training."""
    stages: list[Stage] = []
    train(_games(), _start(), bytes(32), _SETTINGS, observe=lambda take: stages.append(take()))
    with TemporaryDirectory() as folder:
        return [write_checkpoint(Path(folder), bytes(32), [stage]).path.read_bytes() for stage in stages]


def check(data: bytes) -> None:
    """Raise DataError unless it is a checkpoint; train on to the end from one that is."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / f"{sha256(data).hexdigest()}.safetensors"
        path.write_bytes(data)
        (stage,) = read_checkpoint(path, _EXPECTED)
    with np.errstate(all="ignore"):
        trained = train(_games(), _start(), bytes(32), _SETTINGS, stage=stage)
    assert trained.state is not None
    assert trained.state.steps == stage.state.steps + _SETTINGS.steps - stage.made


def forge(mutator: Mutator) -> bytes:
    """Change the file's bytes, or some numbers of its arrays, or its header."""
    chance, data = mutator.chance, mutator.chance.choice(mutator.samples)
    if chance.random() < 0.2:
        return mutator.bytes_input()
    arrays: dict[str, Any] = load(data)
    length = int.from_bytes(data[:8], "little")
    text = json.loads(data[8 : 8 + length])["__metadata__"]["ringrift"]
    if chance.random() < 0.6:
        text = json.dumps(mutator.value(json.loads(text)), default=bytes.hex)
    for _ in range(chance.choice((0, 1, 2))):
        name = chance.choice(sorted(arrays))
        array = arrays[name].copy()
        if chance.random() < 0.2:
            array = array[: chance.randrange(len(array) + 1)]
        elif len(array):
            array[chance.randrange(len(array))] = chance.choice(_EDGES)
        arrays[name] = array
    changed: bytes = save(arrays, metadata={"ringrift": text})
    return changed
