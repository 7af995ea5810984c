"""`scripts/bench gpu` measures what it says, seen on Warp's CPU device; without a GPU it says so in one line."""

import json
import runpy
from pathlib import Path

import pytest

from engine.backend.cuda import cuda_devices

BENCH = runpy.run_path(str(Path(__file__).parents[2] / "scripts" / "benches" / "gpu.py"))
TINY = ["--device", "cpu", "--config", "hex8-2", "--games", "2", "--games", "5", "--runs", "1"]


def test_the_bench_gives_one_object_with_every_figure(kernels: None, capsys: pytest.CaptureFixture[str]) -> None:
    assert BENCH["main"]([*TINY, "--json"]) == 0
    results = json.loads(capsys.readouterr().out)["results"]
    assert [(row["config"], row["games"]) for row in results] == [("hex8-2", 2), ("hex8-2", 5)]
    for row in results:
        assert row["steps_per_s_single_steps"] > 0
        assert row["ratio_core"] == pytest.approx(row["steps_per_s_whole_games"] / row["steps_per_s_core"], abs=0.01)
        assert row["steps_per_s_all_cores"] > 0


def test_the_bench_prints_a_table(kernels: None, capsys: pytest.CaptureFixture[str]) -> None:
    assert BENCH["main"](TINY) == 0
    assert "steps/s on CPU" in capsys.readouterr().out


def test_without_a_gpu_it_says_so_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    if cuda_devices():
        pytest.skip("there is a GPU here")
    assert BENCH["main"](["--config", "hex8-2"]) == 2
    assert capsys.readouterr().err == (
        "bench gpu: no CUDA device: 'cuda' was asked for, but Warp finds no NVIDIA GPU with a driver here\n"
    )
