"""`scripts/bench search` measures what it says, in the form that programs read."""

import json
import runpy
from pathlib import Path

import numpy as np
import pytest

from engine.config import config
from engine.search import evaluate_uniformly

BENCH = runpy.run_path(str(Path(__file__).parents[2] / "scripts" / "benches" / "search.py"))
TINY = ["--architecture", "c4b1", "--rounds", "1", "--seconds", "0.002"]


def test_the_bench_gives_one_object_with_every_figure(kernels: None, capsys: pytest.CaptureFixture[str]) -> None:
    wanted = [("hex8-2", 2), ("hex8-2", 3), ("square8-3", 2), ("square8-3", 3)]
    choice = ["--config", "hex8-2", "--config", "square8-3", "--batch", "2", "--batch", "3"]
    assert BENCH["main"](["--json", *choice, *TINY]) == 0
    results = json.loads(capsys.readouterr().out)["results"]
    assert [(row["config"], row["batch"]) for row in results] == wanted
    for row in results:
        best = max(other["bare_per_s"] for other in results if other["config"] == row["config"])
        assert row["architecture"] == "c4b1"
        assert row["evaluations_per_s"] > 0
        assert row["share"] == pytest.approx(row["evaluations_per_s"] / best, abs=0.01)


def test_self_play_goes_on_with_new_games_in_the_places_of_old_ones(kernels: None) -> None:
    games = BENCH["SelfPlay"](config("hex8-2"), evaluate_uniformly, 6)
    first = games.positions()
    plies = [games.positions().ply()]
    for _ in range(12):
        assert 6 * 2 <= games.step() <= 6 * 17
        assert not games.positions().over().any()
        assert (np.diff(games.positions().legal().offsets) > 1).all()
        plies.append(games.positions().ply())
    assert (games.positions().states != first.states).any(axis=1).all()
    assert (np.diff(plies, axis=0) > 0).mean() > 0.8


def test_the_bench_prints_a_table(kernels: None, capsys: pytest.CaptureFixture[str]) -> None:
    assert BENCH["main"](["--batch", "2", *TINY]) == 0
    assert "hex8-2" in capsys.readouterr().out
