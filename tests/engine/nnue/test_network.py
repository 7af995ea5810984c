"""NNUE files: they come back as they were, and each kind of damage has one clear line."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save

from engine.config import config
from engine.games import Games
from engine.nnue.network import CONFIG, WEIGHTS, Nnue, NnueError, is_nnue, largest_sum, load_nnue, save_nnue
from engine.nnue.rating import rate_positions
from tests.engine.nnue.networks import random_nnue


def test_a_network_comes_back_as_it_was(tmp_path: Path) -> None:
    nnue = random_nnue("square8")
    save_nnue(tmp_path / "a", nnue)
    save_nnue(tmp_path / "b", load_nnue(tmp_path / "a"))
    for name in (WEIGHTS, CONFIG):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    read = load_nnue(tmp_path / "b")
    assert (read.board, read.top, read.width) == ("square8", nnue.top, 32)
    for name in ("weights", "biases", "layers"):
        assert (getattr(read, name) == getattr(nnue, name)).all()
    assert is_nnue(tmp_path / "a")


def test_reading_loads_no_torch(tmp_path: Path) -> None:
    save_nnue(tmp_path, random_nnue("hex8"))
    program = (
        "import sys; from pathlib import Path; from engine.nnue.network import load_nnue\n"
        f"load_nnue(Path({str(tmp_path)!r})); assert not {{'torch', 'training'}} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def arrays_of(nnue: Nnue) -> dict[str, Any]:
    return {"weights": nnue.weights, "biases": nnue.biases, "layers": nnue.layers}


WRONG_ARRAYS: dict[str, dict[str, Any]] = {
    "holds the arrays ['biases', 'layers'], expected biases, layers and weights": {"weights": None},
    "weights are int16[4931, 32], expected int16[4932, width]": {"weights": np.zeros((4931, 32), np.int16)},
    "weights are int32[4932, 32], expected int16[4932, width]": {"weights": np.zeros((4932, 32), np.int32)},
    "a first layer of 24 units, expected a multiple of 16 up to 1024": {"weights": np.zeros((4932, 24), np.int16)},
    "a first layer of 16 units, expected 32": {
        "weights": np.zeros((4932, 16), np.int16),
        "biases": np.zeros(16, np.int16),
        "layers": np.zeros((19, 16), np.float32),
    },
    "biases are int16[31], expected int16[32]": {"biases": np.zeros(31, np.int16)},
    "layers are float64[35, 16], expected float32[35, 16]": {"layers": np.zeros((35, 16))},
    "layers hold a value that is not finite": {"layers": np.full((35, 16), np.nan, np.float32)},
    "row 0 of the weights is not zero": {"weights": np.ones((4932, 32), np.int16)},
    "sums can reach 34717, above 32767": {"biases": np.full(32, 32767, np.int16)},
}


@pytest.mark.parametrize("fault", WRONG_ARRAYS)
def test_wrong_weights_are_refused(fault: str, tmp_path: Path) -> None:
    nnue = random_nnue("hex8")
    few = np.zeros_like(nnue.weights)
    few[1::64] = 25
    save_nnue(tmp_path, dataclasses.replace(nnue, weights=few, biases=np.full(32, 7, np.int16)))
    given = arrays_of(load_nnue(tmp_path)) | WRONG_ARRAYS[fault]
    (tmp_path / WEIGHTS).write_bytes(save({name: array for name, array in given.items() if array is not None}))
    with pytest.raises(NnueError) as error:
        load_nnue(tmp_path)
    assert str(error.value) == f"{WEIGHTS}: {fault}"


WRONG_CONFIGS: dict[str, Any] = {
    "not JSON (Expecting property name enclosed in double quotes: line 1 column 2 (char 1))": "{",
    "expected exactly the keys board, features, format, top, width": {},
    "format 1 and board 'hex8', expected 'nnue/1'": {"format": 1},
    "format 'nnue/1' and board 'chess', expected 'nnue/1'": {"board": "chess"},
    "4931 features, expected 4932": {"features": 4931},
    "top and width must be integers": {"top": 1.5},
}


@pytest.mark.parametrize("fault", WRONG_CONFIGS)
def test_wrong_configurations_are_refused(fault: str, tmp_path: Path) -> None:
    save_nnue(tmp_path, random_nnue("hex8"))
    change = WRONG_CONFIGS[fault]
    known = json.loads((tmp_path / CONFIG).read_text())
    text = change if isinstance(change, str) else json.dumps(known | change if change else {})
    (tmp_path / CONFIG).write_text(text)
    with pytest.raises(NnueError) as error:
        load_nnue(tmp_path)
    assert str(error.value) == f"{CONFIG}: {fault}"


def test_files_that_are_not_there_or_not_whole_are_refused(tmp_path: Path) -> None:
    with pytest.raises(NnueError, match=r"^config\.json: cannot be read \(No such file"):
        load_nnue(tmp_path)
    assert not is_nnue(tmp_path)
    save_nnue(tmp_path, random_nnue("hex8"))
    data = (tmp_path / WEIGHTS).read_bytes()
    for damaged in (b"", data[:100], data[:-1], b"\xff" * 64):
        (tmp_path / WEIGHTS).write_bytes(damaged)
        with pytest.raises(NnueError, match=r"^weights\.safetensors: not a readable safetensors file"):
            load_nnue(tmp_path)
    (tmp_path / WEIGHTS).unlink()
    with pytest.raises(NnueError, match=r"^weights\.safetensors: cannot be read \(No such file"):
        load_nnue(tmp_path)


@pytest.mark.parametrize("top", [0, -1, 32768])
def test_a_top_that_no_sum_can_reach_is_refused(top: int) -> None:
    with pytest.raises(NnueError, match=f"top is {top}, expected 1 to 32767"):
        dataclasses.replace(random_nnue("hex8"), top=top)


def test_the_bound_counts_one_feature_of_each_slot() -> None:
    weights, biases = np.zeros((4932, 16)), np.zeros(16)
    weights[1:65, 0] = 5  # one cell
    weights[65 : 65 + 64, 0] = 7  # another one
    weights[1 + 61 * 64, 0] = -100
    weights[-3:, 1] = -9
    biases[1] = -8
    assert largest_sum("hex8", weights[:, :1], biases[:1]) == 100
    assert largest_sum("hex8", weights[:, 1:], biases[1:]) == 17


def test_games_of_another_board_are_refused(kernels: None) -> None:
    with pytest.raises(NnueError, match="a network for hex8 knows nothing of square8"):
        rate_positions(random_nnue("hex8"), Games.new(config("square8-2"), 1))
