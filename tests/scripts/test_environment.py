"""The environment that the scripts make is made once, whoever asks for it first."""

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PYTHON = """#!/bin/sh
case "$*" in
    *"-m venv"*) for last; do :; done; echo venv >> "$CALLS"; mkdir -p "$last/bin"; cp "$0" "$last/bin/python" ;;
    *"-m pip"*) echo pip >> "$CALLS"; sleep 0.3; exit "${PIP_STATUS:-0}" ;;
esac
"""
"""A Python that notes which environments are made, and installs nothing."""


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    python = tmp_path / "python"
    python.write_text(PYTHON)
    python.chmod(0o755)
    return os.environ | {
        "PYTHON": str(python),
        "CALLS": str(tmp_path / "calls"),
        "RINGRIFT_VENV": str(tmp_path / "venv"),
    }


def begin(environment: dict[str, str]) -> subprocess.Popen[str]:
    script = f"set -euo pipefail; source {ROOT}/scripts/_environment; set_up_environment; echo made"
    return subprocess.Popen(
        ["bash", "-c", script], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def test_two_scripts_that_begin_at_once_make_one_environment(environment: dict[str, str]) -> None:
    running = [begin(environment) for _ in range(2)]
    assert [process.communicate(timeout=20)[0] for process in running] == ["made\n", "made\n"]
    assert Path(environment["CALLS"]).read_text().split() == ["venv", "pip"]


def test_what_could_not_be_installed_is_tried_again(environment: dict[str, str]) -> None:
    failing = begin(environment | {"PIP_STATUS": "1"})
    assert "pip could not install the dependencies" in failing.communicate(timeout=20)[1]
    assert failing.returncode == 2
    assert begin(environment).communicate(timeout=20)[0] == "made\n"
    assert Path(environment["CALLS"]).read_text().split() == ["venv", "pip", "venv", "pip"]
