"""Shards come back as they were; anything else in a file is refused with one reason."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

from consensus.settings import LARGEST
from engine.config import config
from training.arrays import DataError
from training.progress import ignore_progress
from training.replay import load_shard
from training.shard import Shard, read_shard, write_shard

HEX = config("hex8-2")


def test_a_shard_survives_the_file(searched_shard: Shard, tmp_path: Path) -> None:
    stored = write_shard(tmp_path, searched_shard)
    assert stored.path.name == f"{stored.digest.hex()}.safetensors"
    read = load_shard(stored.path, HEX, ignore_progress).shard
    for name, value in vars(searched_shard).items():
        assert np.array_equal(getattr(read, name), value), name


def test_any_setting_of_sparring_can_be_read(random_shard: Shard, tmp_path: Path) -> None:
    for sparring in (0, 1, LARGEST):
        assert read_shard(write_shard(tmp_path, replace(random_shard, sparring=sparring)).path).sparring == sparring


def _changed(array: np.ndarray, place: int, value: Any) -> np.ndarray:
    copy = array.copy()
    copy[place] = value
    return copy


def _swapped(moves: np.ndarray, a: int, b: int) -> np.ndarray:
    copy = moves.copy()
    copy[[a, b]] = copy[[b, a]]
    return copy


FAULTS: list[tuple[Callable[[Shard], Shard], str]] = [
    (lambda s: replace(s, config="hex9-2"), "unknown configuration 'hex9-2'"),
    (lambda s: replace(s, config="square8-2"), "games of square8-2, not of hex8-2"),
    (lambda s: replace(s, model=b"short"), "'model' is not 64 hexadecimal digits"),
    (lambda s: replace(s, moves=_changed(s.moves, 3, -1)), "game 0: its move 3 is illegal"),
    (lambda s: replace(s, moves=_swapped(s.moves, int(s.offsets[1]), 0)), "is illegal"),
    (lambda s: replace(s, winners=3 - s.winners), "game 0: winner"),
    (lambda s: replace(s, winners=_changed(s.winners, 0, 3)), "not a seat of a game of 2"),
    (lambda s: replace(s, lengths=_changed(s.lengths, 0, s.lengths[0] - 1)), "do not add up"),
    (lambda s: replace(s, lengths=_changed(s.lengths, 0, 2**31 - 1)), "do not add up"),
    (lambda s: replace(s, lengths=s.lengths[:0]), "0 games"),
    (lambda s: replace(s, openings=_changed(s.openings, 0, 10**6)), "longer than its game"),
    (lambda s: replace(s, searched=s.searched[::-1].copy()), "not ascending"),
    (lambda s: replace(s, searched=_changed(s.searched, -1, -(2**31))), "not ascending"),
    (lambda s: replace(s, searched=s.searched[:-1]), "searched plies"),
    (lambda s: replace(s, choices=s.choices[:-1]), "searched plies"),
    (lambda s: replace(s, weights=s.weights[:-1]), "policy entries"),
    (lambda s: replace(s, weights=s.weights // 2), "do not add up to one"),
    (lambda s: replace(s, entries=_changed(s.entries, 0, 60000)), "beyond the legal moves"),
    (lambda s: replace(s, entries=_changed(s.entries, 1, s.entries[0])), "names a move twice"),
    (lambda s: replace(s, values=_changed(s.values, 0, -32768)), "below -1"),
    (lambda s: replace(s, sparring=-1), "header field 'sparring' is not a whole number"),
    (lambda s: replace(s, values=s.values.astype(np.float32)), "array 'values' is float32"),
    (
        lambda s: replace(s, moves=s.moves[:-1], lengths=_changed(s.lengths, -1, s.lengths[-1] - 1)),
        "neither to its end nor to the limit",
    ),
]


@pytest.mark.parametrize(("fault", "reason"), FAULTS, ids=[reason for _, reason in FAULTS])
def test_a_bad_shard_is_refused(
    fault: Callable[[Shard], Shard], reason: str, searched_shard: Shard, tmp_path: Path
) -> None:
    bad = fault(searched_shard)
    with pytest.raises(DataError, match=reason):
        load_shard(write_shard(tmp_path, bad).path, HEX, ignore_progress)


def test_moves_after_the_end_of_a_game_are_illegal(random_shard: Shard, tmp_path: Path) -> None:
    longer = np.insert(random_shard.moves, random_shard.offsets[1], 0)
    bad = replace(random_shard, moves=longer, lengths=_changed(random_shard.lengths, 0, random_shard.lengths[0] + 1))
    with pytest.raises(DataError, match=f"game 0: its move {random_shard.lengths[0]} is illegal"):
        load_shard(write_shard(tmp_path, bad).path, HEX, ignore_progress)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "not a readable safetensors file"),
        (b"\xff" * 64, "not a readable safetensors file"),
        (b"\x80\x04K\x01.", "not a readable safetensors file"),
    ],
)
def test_other_files_are_refused(data: bytes, reason: str, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(data)
    with pytest.raises(DataError, match=reason):
        read_shard(path)


def test_foreign_safetensors_are_refused(tmp_path: Path) -> None:
    arrays = {"moves": np.zeros(3, np.int64)}
    for metadata, reason in [
        (None, "not a readable"),
        ({"other": "{}"}, "not a readable"),
        ({"ringrift": "["}, "not a readable"),
        ({"ringrift": "[" * 100_000}, "not a readable"),
        ({"ringrift": "[]"}, "does not name the kind 'shard/1'"),
        ({"ringrift": '{"kind": "match/1"}'}, "does not name the kind 'shard/1'"),
        ({"ringrift": '{"kind": "shard/1"}'}, r"holds the arrays \['moves'\]"),
    ]:
        save_file(arrays, tmp_path / "file", metadata=metadata)
        with pytest.raises(DataError, match=reason):
            read_shard(tmp_path / "file")


def test_missing_and_oversized_files_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DataError, match="cannot be read"):
        read_shard(tmp_path / "nothing")
    monkeypatch.setattr("training.arrays.FILE_MAX_BYTES", 10)
    (tmp_path / "big").write_bytes(b"0" * 11)
    with pytest.raises(DataError, match="above the limit"):
        read_shard(tmp_path / "big")
