"""`scripts/simulate`: what it prints, and its exit status."""

import hashlib
import json
import os
import runpy
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from scripts import ledger_simulation

ROOT = Path(__file__).parents[2]


def simulate(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(ROOT / "scripts" / "simulate.py"), "--jobs", "1", *arguments],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


@pytest.fixture(scope="module")
def main() -> Callable[[list[str]], int]:
    """The script in this process, for what ends before any run."""
    found: Callable[[list[str]], int] = runpy.run_path(str(ROOT / "scripts" / "simulate.py"))["main"]
    return found


def refusal(main: Callable[[list[str]], int], capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """Return the last line of what the script says when it ends with status 2."""
    with pytest.raises(SystemExit) as ended:
        main([*arguments])
    assert ended.value.code == 2
    return capsys.readouterr().err.splitlines()[-1]


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


def test_the_script_itself_starts_from_any_folder(tmp_path: Path) -> None:
    """In the environment that is there: `.made-from` says that it is the one that is wanted."""
    (tmp_path / "bin").mkdir()
    python = tmp_path / "bin" / "python"
    python.write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    python.chmod(0o755)
    made_from = (ROOT / "pyproject.toml").read_bytes() + (ROOT / "constraints.txt").read_bytes()
    (tmp_path / ".made-from").write_text(f"{hashlib.sha256(made_from).hexdigest()}  -\n")
    done = subprocess.run(
        [str(ROOT / "scripts" / "simulate"), "--help"],
        env=os.environ | {"RINGRIFT_VENV": str(tmp_path)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert "--ledger" in done.stdout


LEDGER = ("--ledger", "--hours", "0.2", "--nodes", "4", "--configurations", "hex8-2", "--json")
KEYS = [
    "utilisation",
    "floor_violations",
    "regressions_induced",
    "regressions_rolled_back",
    "stalls_induced",
    "stalls_noticed",
    "claims_over_lease",
    "promotions",
    "violations",
    "ledger_bytes_max",
]


def test_agents_on_one_ledger_give_a_line_a_seed_and_their_sum(monkeypatch: pytest.MonkeyPatch) -> None:
    outputs = []
    for hashes in ("1", "2"):
        monkeypatch.setenv("PYTHONHASHSEED", hashes)
        done = simulate(*LEDGER, "--seeds", "3..4")
        assert done.returncode == 0, done.stderr
        outputs.append(done.stdout)
    assert outputs[0] == outputs[1]
    first, second, summary = map(json.loads, outputs[0].splitlines())
    assert [run["seed"] for run in (first, second)] == [3, 4]
    assert list(summary) == KEYS
    assert summary["promotions"] == first["promotions"] + second["promotions"]
    assert summary["ledger_bytes_max"] == max(first["ledger_bytes_max"], second["ledger_bytes_max"])


def test_a_table_of_ablations_has_a_row_for_each_part(
    main: Callable[[list[str]], int], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ledger_simulation, "NEUTRAL", {"floor": 0, "quota": 1000})
    assert main([*LEDGER[:-1], "--hours", "0.02", "--seeds", "1", "--jobs", "1", "--rules", "1", "--ablate"]) == 0
    head, _, *rows = capsys.readouterr().out.partition("\n\n")[0].splitlines()
    assert head.split(" | ")[1] == "utilisation"
    assert [row.split(" | ")[0] for row in rows] == ["| nothing", "| floor", "| quota"]
    assert (
        main([*LEDGER[:-1], "--hours", "0.02", "--seeds", "1", "--jobs", "1", "--rules", "1", "--ablate", "quota"]) == 0
    )
    _, _, *rows = capsys.readouterr().out.partition("\n\n")[0].splitlines()
    assert [row.split(" | ")[0] for row in rows] == ["| nothing", "| quota"]


@pytest.mark.parametrize(
    "wrong",
    [
        ["--hours", "0"],
        ["--hours", "x", "--ledger"],
        ["--configurations", "hex9-2"],
        ["--without", "everything"],
        ["--ablate", "everything"],
        ["--seeds", "0"],
        ["--seeds", "5..4"],
        ["--nodes", "x"],
        ["--faults", "fire"],
        ["--faults", "crash=often"],
        ["--malice", "boast"],
        ["--broken", "glass"],
    ],
)
def test_invalid_options_give_one_line_and_status_2(
    wrong: list[str], main: Callable[[list[str]], int], capsys: pytest.CaptureFixture[str]
) -> None:
    assert wrong[1].split("=")[0] in refusal(main, capsys, *wrong)


def test_a_file_that_is_not_a_schedule_gives_one_line_and_status_2(
    tmp_path: Path, main: Callable[[list[str]], int], capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "schedule.json"
    for text in (None, "{}"):
        if text is not None:
            path.write_text(text)
        assert str(path) in refusal(main, capsys, "--schedule", str(path))


@pytest.mark.slow
def test_a_violation_is_shrunk_and_can_be_repeated(tmp_path: Path) -> None:
    mix = ("--nodes", "5", "--seconds", "12", "--faults", "split,delay", "--malice", "two-lives")
    found = simulate(*mix, "--broken", "half", "--seeds", "1..60", "--shrink", "6", "--keep", str(tmp_path))
    assert found.returncode == 1
    path = next(tmp_path.iterdir())
    lines = found.stdout.splitlines()
    assert "VIOLATION: node" in lines[-1 - next(i for i, line in enumerate(lines[::-1]) if "VIOLATION" in line)]
    assert lines[-1] == f"again: scripts/simulate --schedule {path} --broken half"
    assert any(line.startswith("shrunk from") for line in lines)
    again = simulate("--schedule", str(path), "--broken", "half", "--shrink", "0", "--keep", str(tmp_path))
    assert again.returncode == 1
    shrunk = next(line for line in lines if line.startswith("shrunk from"))
    violation = again.stdout.splitlines()[0].partition("VIOLATION: ")[2]
    assert violation in shrunk
    whole = simulate("--schedule", str(path))
    assert whole.returncode == 0
