"""`scripts/bench slots` runs a swarm whose nodes have so many slots, and says how much it played and what limits it."""

import json
import runpy
from pathlib import Path

import pytest

BENCHES = Path(__file__).parents[2] / "scripts" / "benches"


@pytest.mark.slow
def test_nodes_with_two_slots(capsys: pytest.CaptureFixture[str]) -> None:
    main = runpy.run_path(str(BENCHES / "slots.py"))["main"]
    assert main(["--nodes", "2", "--slots", "2", "--games", "8", "--seconds", "15", "--json"]) == 0
    (result,) = json.loads(capsys.readouterr().out)["results"]
    assert (result["nodes"], result["slots"]) == (2, 2)
    assert result["games"] > 0
    assert result["games_per_h"] > result["games"]
    assert 0 < result["own_cores"] <= result["cores"] * 1.1
    assert result["limit"] in ("processor", "waiting")
