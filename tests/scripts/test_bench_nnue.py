"""`scripts/bench nnue` measures what it says, in the form that programs read."""

import json
import runpy
from pathlib import Path

import numpy as np
import pytest

from engine.config import config

BENCH = runpy.run_path(str(Path(__file__).parents[2] / "scripts" / "benches" / "nnue.py"))
TINY = ["--width", "16", "--runs", "1", "--seconds", "0.002"]


def test_the_bench_gives_one_object_with_every_figure(kernels: None, capsys: pytest.CaptureFixture[str]) -> None:
    assert BENCH["main"](["--config", "hex8-2", "--config", "square8-3", "--json", *TINY]) == 0
    results = json.loads(capsys.readouterr().out)["results"]
    assert [(row["config"], row["width"], row["goal"]) for row in results] == [
        ("hex8-2", 16, 2_000_000),
        ("square8-3", 16, None),
    ]
    for row in results:
        assert min(row["incremental_per_s"], row["refreshed_per_s"], row["moves_per_s"]) > 0
        assert row["goal_met"] == (row["goal"] is None or row["incremental_per_s"] >= row["goal"])


def test_the_positions_follow_each_other(kernels: None) -> None:
    positions, offsets = BENCH["lines"](config("hex8-2"))
    assert offsets[-1] == len(positions) >= 2000
    steps = np.diff(positions.ply())
    assert set(steps[np.setdiff1d(np.arange(len(steps)), offsets[1:-1] - 1)]) == {1}
    assert (positions.ply()[offsets[:-1]] == 0).all()
    assert positions.over()[offsets[1:] - 1].all()


def test_the_bench_prints_a_table(kernels: None, capsys: pytest.CaptureFixture[str]) -> None:
    assert BENCH["main"](["--config", "hex8-2", *TINY]) == 0
    assert "hex8-2" in capsys.readouterr().out
