"""`scripts/bench consensus` measures what it says, in the form that programs read."""

import json
import runpy
from pathlib import Path

BENCH = runpy.run_path(str(Path(__file__).parents[2] / "scripts" / "benches" / "consensus.py"))


def test_the_bench_gives_one_object_with_every_figure(capsys):
    assert BENCH["main"](["--members", "4", "--other-parents", "1", "--events", "300", "--json"]) == 0
    (result,) = json.loads(capsys.readouterr().out)["results"]
    assert (result["n"], result["other_parents"], result["events"]) == (4, 1, 300)
    assert 200 < result["ordered"] <= 300
    assert result["events_per_s"] > result["events_per_s_signed"] > 0
    assert result["verify_per_s"] > result["events_per_s_signed"]


def test_the_bench_prints_a_table(capsys):
    assert BENCH["main"](["--members", "3", "--other-parents", "2", "--events", "200"]) == 0
    assert "with signatures" in capsys.readouterr().out
