"""scripts/bench node: the figures of a real node, also while it works."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
def test_a_node_at_work_is_measured_while_its_slots_play() -> None:
    command = [sys.executable, "-P", "-m", "scripts.bench", "node", "--work", "--seconds", "2", "--json"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=400)
    assert done.returncode == 0, done.stderr
    (figures,) = json.loads(done.stdout)["results"]
    assert figures["slots"] >= 1
    assert figures["cpu_percent"] > figures["node_cpu_percent"] > 0
    assert 0 < figures["status_own_p50_ms"] <= figures["status_own_p99_ms"]
