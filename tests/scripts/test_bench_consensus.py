"""`scripts/bench consensus` measures what it says, in the form that programs read."""

import json
import os
import runpy
from collections.abc import Callable
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any, TypeAlias

import pytest

Main: TypeAlias = Callable[[list[str]], int]

BENCHES = Path(__file__).parents[2] / "scripts" / "benches"
FEW = ["--members", "4", "--other-parents", "1", "--events", "300", "--long", "1200", "--runs", "1"]


@pytest.fixture(scope="module")
def main() -> Main:
    started: Main = runpy.run_path(str(BENCHES / "consensus.py"))["main"]
    return started


@pytest.fixture(scope="module")
def results(main: Main) -> list[dict[str, Any]]:
    """What one run measures."""
    with redirect_stdout(StringIO()) as printed:
        assert main([*FEW, "--json"]) == 0
    found: list[dict[str, Any]] = json.loads(printed.getvalue())["results"]
    return found


def test_the_bench_gives_one_object_with_every_figure(results: list[dict[str, Any]]) -> None:
    order, growth, replay = results
    assert (order["kind"], order["n"], order["other_parents"], order["events"]) == ("order", 4, 1, 300)
    assert 200 < order["ordered"] <= 300
    assert 200 < order["bytes_per_event"] < 500
    assert order["events_per_s_decoded"] > order["events_per_s_signed"] > 0
    assert order["events_per_s"] > order["events_per_s_signed"]
    assert order["verify_per_s"] > order["events_per_s_signed"]
    assert order["signed_of_verify"] < 1
    assert order["node_events_per_s_signed"] > 0
    assert order["node_of_verify"] > 0
    assert 0 < order["cores_of_verify"] < 1.5 * (os.cpu_count() or 1)
    assert (growth["kind"], growth["events"], growth["part"]) == ("growth", 1200, 200)
    assert growth["first_per_s"] > 0
    assert growth["last_per_s"] > 0
    assert (replay["kind"], replay["events"]) == ("replay", 400)
    assert replay["stored_per_s"] > 0
    assert replay["replayed_per_s"] > 0
    assert replay["replayed_of_verify"] > 0


def test_the_bench_prints_a_table(
    main: Main, results: list[dict[str, Any]], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, result in zip(("measure", "grow", "replay"), results, strict=True):
        monkeypatch.setitem(main.__globals__, name, lambda *_arguments, result=result: result)
    assert main(FEW) == 0
    printed = capsys.readouterr().out
    assert "share of bare checks" in printed
    assert "growth: " in printed
    assert "replayed with signatures" in printed
