"""`scripts/bench gpu` measures what it says, seen on Warp's CPU device; without a GPU it says so in one line."""

import json
import runpy
from pathlib import Path

import pytest

from engine.backend.cuda import cuda_devices

BENCH = runpy.run_path(str(Path(__file__).parents[2] / "scripts" / "benches" / "gpu.py"))
TINY = ["--cpu", "--config", "hex8-2", "--games", "2", "--games", "5", "--runs", "1", "--architecture", "c4b1"]


def test_the_bench_gives_one_object_with_every_figure(kernels: None, capsys: pytest.CaptureFixture[str]) -> None:
    assert BENCH["main"]([*TINY, "--untested", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    results, (search,) = found["results"], found["searches"]
    assert search["share"] == pytest.approx(search["simulations_per_s"] / search["bare_evaluations_per_s"], abs=0.001)
    assert search["simulations_per_s"] > 0
    (played,), (trained,) = found["played"], found["trained"]
    assert played["simulations_per_s"] == pytest.approx(16 * played["moves_per_s"], rel=0.1)
    assert played["moves_per_s"] > 0
    assert trained["ratio"] == pytest.approx(trained["positions_per_s"] / trained["kernel_positions_per_s"], abs=0.01)
    assert [(row["config"], row["games"]) for row in results] == [("hex8-2", 2), ("hex8-2", 5)]
    for row in results:
        assert row["steps_per_s_single_steps"] > 0
        assert row["ratio_core"] == pytest.approx(row["steps_per_s_whole_games"] / row["steps_per_s_core"], abs=0.01)
        assert row["steps_per_s_all_cores"] > 0


def test_the_bench_prints_a_table(kernels: None, capsys: pytest.CaptureFixture[str]) -> None:
    assert BENCH["main"]([*TINY, "--untested"]) == 0
    printed = capsys.readouterr().out
    assert "steps/s on CPU" in printed
    assert "of the bare network's" in printed
    assert "self-play with c4b1 in 64 games" in printed
    assert "times our kernels'" in printed


def test_nothing_is_measured_where_a_device_finds_something_else(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(BENCH["main"].__globals__, "_COMPARISONS", ("tests/no_such_test.py",))
    assert BENCH["main"](TINY) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert "cpu does not find what the CPU finds: nothing was measured" in said.err


def test_without_a_gpu_it_says_so_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    if cuda_devices():
        pytest.skip("there is a GPU here")
    assert BENCH["main"](["--config", "hex8-2"]) == 2
    assert capsys.readouterr().err == (
        "bench gpu: no CUDA device: 'cuda' was asked for, but Warp finds no NVIDIA GPU with a driver here; "
        "--cpu runs it on the CPU, at small sizes\n"
    )
