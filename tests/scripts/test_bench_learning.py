"""`scripts/bench learning` learns as a swarm does, and says how strong that is, in the form that programs read."""

import json
import runpy
from pathlib import Path

import pytest

from consensus.settings import SettingsError
from engine.config import config
from training.model import load_model

BENCH = runpy.run_path(str(Path(__file__).parents[2] / "scripts" / "benches" / "learning.py"))

TINY = [
    f"--set={setting}"
    for setting in (
        "selfplay.games=8",
        "selfplay.random_games=32",
        "selfplay.simulations=2",
        "selfplay.considered=2",
        "training.games=16",
        "training.steps=3",
        "training.first_steps=3",
        "training.first_networks=1",
        "training.batch=16",
        "training.architecture=c4b1",
        "match.simulations=2",
        "match.considered=2",
        "match.slot_blocks=1",
        "match.block_limit=2",
        "match.limit_share=1/2",
    )
]
"""A swarm in which about every second candidate is promoted."""


def test_one_object_for_each_seed(kernels: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--seconds", "0.01", "--points", "1", "--blocks", "1", "--keep", str(tmp_path), "--json"]
    assert BENCH["main"]([*options, "--seeds", "3", *TINY]) == 0
    told = capsys.readouterr()
    found = [json.loads(line) for line in told.out.splitlines()]
    assert [each["seed"] for each in found] == [3]
    for each in found:
        assert (each["config"], each["games"], each["candidates"], each["promotions"]) == ("hex8-2", 32, 1, 1)
        assert sum(each["shares"].values()) == pytest.approx(1.0, abs=0.01)
        assert set(each["shares"]) == {"self-play", "training", "measures", "matches"}
        (point,) = each["points"]
        assert len(point["panel"]) == 7
        assert all(0 <= row["low"] <= row["share"] <= row["high"] <= 100 for row in point["panel"].values())
        assert load_model(tmp_path / str(each["seed"])).architecture == "c4b1"
    assert "seed 3" in told.err


def test_a_lineage_goes_on_until_too_many_of_it_were_rejected(kernels: None) -> None:
    hopeless = [change.removeprefix("--set=") for change in TINY if "limit_share" not in change]
    settings = BENCH["settings_of"]("hex8-2", [*hopeless, "match.limit_share=99/100", "training.rejections=2"])
    lineage = BENCH["Lineage"](config("hex8-2"), settings, 1, None)
    steps = []
    for _ in range(4):
        assert lineage.advance().verdict == "reject"
        steps.append(lineage.head.state.steps if lineage.head is not None else 0)
    assert steps == [3, 0, 3, 0]
    assert (lineage.candidates, lineage.promotions) == (4, 0)


def test_a_wrong_setting_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert BENCH["main"](["--set", "training.step=3"]) == 2
    assert "training.step: unknown setting" in capsys.readouterr().err
    with pytest.raises(SettingsError):
        BENCH["settings_of"]("hex8-2", ["selfplay.games=0"])
