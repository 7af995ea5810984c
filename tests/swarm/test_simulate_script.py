"""The command that hunts: what it prints, and how it ends."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def simulate(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(ROOT / "scripts" / "simulate.py"), "--jobs", "1", *arguments],
        env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False, timeout=120,
    )


def test_it_runs_seeds_and_sums_up() -> None:
    done = simulate("--nodes", "3..4", "--seeds", "3..4", "--seconds", "6", "--json")
    assert done.returncode == 0, done.stderr
    first, second, summary = map(json.loads, done.stdout.splitlines())
    assert [(run["seed"], run["nodes"]) for run in (first, second)] == [(3, 4), (4, 3)]
    assert summary["seeds"] == 2
    assert summary["violations"] == 0
    assert summary["events"] == first["events"] + second["events"]
    again = simulate("--nodes", "4", "--seeds", "3", "--seconds", "6")
    assert again.stdout.startswith("seed 3: 4 nodes")
    assert first["trace"][:12] in again.stdout


@pytest.mark.parametrize("wrong", [["--seeds", "0"], ["--seeds", "5..4"], ["--nodes", "x"], ["--faults", "fire"]])
def test_what_makes_no_sense_is_one_line_and_status_2(wrong: list[str]) -> None:
    done = simulate(*wrong)
    assert done.returncode == 2
    assert repr(wrong[1]) in done.stderr.splitlines()[-1]
