"""`scripts/bench engine` measures what it says, in the form that programs read."""

import json
import runpy
from pathlib import Path

import pytest

from engine.config import config
from engine.rules import move_bound, scratch_width, state_width

BENCH = runpy.run_path(str(Path(__file__).parents[2] / "scripts" / "benches" / "engine.py"))
TINY = ["--no-start", "--runs", "2", "--seconds", "0.002"]


def test_the_bench_gives_one_object_with_every_figure(kernels: None, capsys: pytest.CaptureFixture[str]) -> None:
    assert BENCH["main"](["--config", "hex8-2", "--config", "square8-3", "--json", *TINY]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed["start"] == {}
    assert [row["config"] for row in printed["results"]] == ["hex8-2", "square8-3"]
    assert [row["goal"] for row in printed["results"]] == [1_000_000, None]
    for row in printed["results"]:
        assert row["state_bytes"] == 2 * state_width(config(row["config"]))
        assert row["scratch_bytes"] == 4 * scratch_width(config(row["config"]))
        assert row["list_bytes"] == 8 * move_bound(config(row["config"]))
        assert 1 < row["moves_per_position"] < 192
        assert abs(sum(phase["part"] for phase in row["phases"].values()) - 1) < 0.01
        assert set(row["phases"]) <= set("PMCHLTF")
        rates = {name: value for name, value in row.items() if "_per_s" in name and name != "steps_per_s_reference"}
        assert set(rates) == {
            *("steps_per_s_core", "steps_per_s_all_cores", "steps_per_s_plain_python"),
            *("legal_per_s", "legal_per_s_plain_python", "apply_per_s", "apply_per_s_plain_python"),
            *("copy_per_s_alone", "copy_per_s_in_batch", "call_per_s"),
        }
        assert all(rate["median"] > 0 and rate["spread"] >= 0 for rate in rates.values())
        assert row["goal_met"] == (row["goal"] is None or row["steps_per_s_core"]["median"] >= row["goal"])


def test_the_bench_measures_the_same_positions_each_time(kernels: None) -> None:
    first, again = (BENCH["sample"](config("hex8-3")) for _ in range(2))
    assert (first.states == again.states).all()
    assert not first.over().any()
    assert len(set(first.phase().tolist())) > 4


def test_the_bench_says_whether_a_start_is_quick_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(BENCH["start_times"].__globals__, "_WARM", "pass")
    times = BENCH["start_times"]()
    assert times["cold_compile_s"] > 0
    assert times["cold_compile_s_met"]


def test_the_bench_prints_tables(kernels: None, capsys: pytest.CaptureFixture[str]) -> None:
    assert BENCH["main"](["--config", "hex8-2", "--markdown", *TINY]) == 0
    printed = capsys.readouterr().out
    assert "| hex8-2 " in printed
    assert "1,000,000" in printed
    assert "phase T" in printed
