"""Shards of self-play as others may write them: read, replayed, compared with what was said of them, trained on."""

from __future__ import annotations

import json
from dataclasses import asdict
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from safetensors.numpy import load, save

from engine.config import config
from engine.search import evaluate_uniformly
from tests.fuzz.mutations import Mutator
from training.arrays import DataError
from training.experience import Experience
from training.facts import Announcement, check_shard, facts_of
from training.progress import ignore_progress
from training.replay import load_shard
from training.selfplay import play_shard
from training.settings import SelfPlaySettings
from training.shard import shard_root, write_shard

GAME = config("hex8-2")
_SETTINGS = SelfPlaySettings(simulations=2, considered=2, opening_plies=60, sparring=2)
_EDGES = (-(2**63), -(2**31), -32_768, -32_767, -1, 0, 1, 2, 3, 255, 32_767, 65_535, 2**31 - 1, 2**63 - 1)


@cache
def samples() -> list[bytes]:
    """Two random games, and two that a search has played."""
    with TemporaryDirectory() as folder:
        shards = [
            play_shard(GAME, evaluate, model=bytes(32), seed=bytes(32), games=2, settings=_SETTINGS)
            for evaluate in (None, evaluate_uniformly)
        ]
        return [write_shard(Path(folder), shard).path.read_bytes() for shard in shards]


def check(data: bytes) -> None:
    """Raise DataError unless a shard is sound. What is announced of it is what its author finds in it."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "shard.safetensors"
        path.write_bytes(data)
        source = load_shard(path, GAME, ignore_progress)
    shard = source.shard
    said = Announcement(
        model=shard.model,
        seed=bytes(32),
        root=shard_root(shard),
        games=len(shard.lengths),
        plies=len(shard.moves),
        opening_plies=_SETTINGS.opening_plies,
        is_random=len(shard.searched) == 0,
        facts=asdict(facts_of(source)),
    )
    wrong = check_shard(source, said)
    experience = Experience(GAME, [source])
    experience.draw(np.random.default_rng(1), np.arange(len(experience)), 4)
    if wrong:
        raise DataError(wrong)


def forge(mutator: Mutator) -> bytes:
    """Change the file's bytes, or some numbers of its arrays, or its header."""
    chance, data = mutator.chance, mutator.chance.choice(mutator.samples)
    if chance.random() < 0.2:
        return mutator.bytes_input()
    arrays = load(data)
    length = int.from_bytes(data[:8], "little")
    text = json.loads(data[8 : 8 + length])["__metadata__"]["ringrift"]
    if chance.random() < 0.2:
        text = json.dumps(mutator.value(json.loads(text)), default=bytes.hex)
    for _ in range(chance.choice((0, 1, 1, 1, 2))):
        name = chance.choice(sorted(arrays))
        arrays[name] = _changed(mutator, arrays[name])
    changed: bytes = save(arrays, metadata={"ringrift": text})
    return changed


def _changed(mutator: Mutator, array: Any) -> Any:
    if array.dtype.kind == "f":  # changed before
        return array
    chance, bounds = mutator.chance, np.iinfo(array.dtype)
    if len(array) == 0:
        return np.zeros(chance.choice((1, 7)), array.dtype)
    at = chance.randrange(len(array))
    match chance.randrange(8):
        case 0:
            return array[: chance.choice((0, at))]
        case 1:
            return np.concatenate([array, array[at:]])
        case 2:
            return np.zeros_like(array)
        case 3:
            return array[::-1].copy()
        case 4:
            return array.astype(chance.choice((np.int8, np.int64, np.float32)))
    changed = array.copy()
    value = int(array[at]) + chance.choice((-1, 1)) if chance.random() < 0.4 else chance.choice(_EDGES)
    changed[at] = min(max(value, bounds.min), bounds.max)
    return changed
