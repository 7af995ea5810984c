"""`scripts/bench training` measures what it says, in the form that programs read."""

import json
import runpy
from pathlib import Path

import pytest

BENCH = runpy.run_path(str(Path(__file__).parents[2] / "scripts" / "benches" / "training.py"))
TINY = ["--batch", "8", "--games", "4", "--steps", "2", "--rounds", "1", "--seconds", "0.002"]


def test_the_bench_gives_one_object_with_every_figure(kernels: None, capsys: pytest.CaptureFixture[str]) -> None:
    choice = ["--config", "hex8-2", "--config", "square8-3", "--architecture", "c4b1", "--architecture", "c20b1"]
    assert BENCH["main"](["--json", *choice, *TINY]) == 0
    results = json.loads(capsys.readouterr().out)["results"]
    wanted = [("hex8-2", "c4b1"), ("hex8-2", "c20b1"), ("square8-3", "c4b1"), ("square8-3", "c20b1")]
    assert [(row["config"], row["architecture"]) for row in results] == wanted
    for row in results:
        assert row["batch"] == 8
        assert row["steps_per_s"] == pytest.approx(row["rows_per_s"] / 8, abs=0.1)
        against_torch = row["gradient_rows_per_s"] / row["torch_rows_per_s"]
        against_convolutions = row["rows_per_s"] / row["convolution_rows_per_s"]
        assert row["against_torch"] == pytest.approx(against_torch, abs=0.01)
        assert row["against_convolutions"] == pytest.approx(against_convolutions, abs=0.01)


def test_the_bench_prints_a_table(kernels: None, capsys: pytest.CaptureFixture[str]) -> None:
    assert BENCH["main"](["--architecture", "c4b1", *TINY]) == 0
    assert "hex8-2" in capsys.readouterr().out
