"""`scripts/bench selfplay` plays the same games in each way, in larger batches where jobs overlap."""

import json
import runpy
from pathlib import Path

import pytest

BENCH = runpy.run_path(str(Path(__file__).parents[2] / "scripts" / "benches" / "selfplay.py"))
TINY = ["--architecture", "c4b1", "--rounds", "1", "--games", "2", "--jobs", "4", "--places", "8"]


def test_the_bench_gives_one_object_with_every_figure(kernels: None, capsys: pytest.CaptureFixture[str]) -> None:
    assert BENCH["main"](["--json", *TINY]) == 0
    alone, two, many = json.loads(capsys.readouterr().out)["results"]
    assert [row["at_once"] for row in (alone, two, many)] == [1, 2, 8]
    assert alone["batch"] < two["batch"] < many["batch"]
    assert all(row["games_per_h"] > 0 and row["games"] == 2 for row in (alone, two, many))


def test_the_bench_prints_a_table(kernels: None, capsys: pytest.CaptureFixture[str]) -> None:
    assert BENCH["main"](["--jobs", "1", *TINY[:-4], "--places", "2"]) == 0
    assert "hex8-2" in capsys.readouterr().out
