"""`scripts/bench finality` and `scripts/bench node --submit` measure what they say, for programs to read."""

import json
import runpy
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

BENCHES = Path(__file__).parents[2] / "scripts" / "benches"


@pytest.fixture(autouse=True)
def logs_as_before() -> Iterator[None]:
    yield
    structlog.reset_defaults()


def test_finality_in_virtual_time(capsys: pytest.CaptureFixture[str]) -> None:
    main = runpy.run_path(str(BENCHES / "finality.py"))["main"]
    assert main(["--nodes", "4", "--links", "lan", "--seconds", "6", "--json"]) == 0
    (result,) = json.loads(capsys.readouterr().out)["results"]
    assert (result["nodes"], result["links"], result["unordered"]) == (4, "lan", 0)
    assert result["transactions"] > 10
    assert 0 < result["rounds_to_finality"] < 4
    assert 0 < result["round_s"] < result["seconds_p50"] < result["seconds_p99"] < 4
    assert 1 <= result["transactions_per_event"] < 3
    assert 0 < result["idle_questions_per_s"] < 1.5
    assert 0 < result["idle_bytes_per_s"] < 2000
    assert result["idle_rounds_per_min"] > 0


@pytest.mark.slow
def test_finality_of_real_nodes(capsys: pytest.CaptureFixture[str]) -> None:
    main = runpy.run_path(str(BENCHES / "node.py"))["main"]
    assert main(["--nodes", "3", "--submit", "1", "--seconds", "10", "--json"]) == 0
    (result,) = json.loads(capsys.readouterr().out)["results"]
    assert (result["nodes"], result["unordered"], result["ready"]) == (3, 0, True)
    assert result["transactions"] > 10
    assert 0 < result["finality_p50_s"] < result["finality_p99_s"] < 10
