"""The reference run in docs/ is what it says: each certificate holds, each model is the one it names and can play."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from engine.config import config
from engine.players import SearchPlayer, UniformPlayer
from node.cli import main
from training.arena import meet
from training.evaluate import NetworkEvaluator
from training.model import load_model

RUN = Path(__file__).parents[2] / "docs" / "reference-run"
CERTIFICATES = sorted((RUN / "certificates").glob("*.json"))
MODELS = sorted((RUN / "models").iterdir())


def test_it_has_promotions_of_three_configurations_and_is_small() -> None:
    names = {path.stem.rpartition("-")[0] for path in CERTIFICATES}
    assert names == {"hex8-2", "hex8-3", "square8-2"}
    assert {path.name for path in MODELS} <= {path.stem for path in CERTIFICATES}
    assert sum(path.stat().st_size for path in RUN.rglob("*") if path.is_file()) < 2_000_000


@pytest.mark.parametrize("path", CERTIFICATES, ids=lambda path: path.stem)
def test_each_certificate_holds(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = RUN / "models" / path.stem
    files = ["--model", str(model)] if model.is_dir() else []
    assert main(["verify", str(path), "--genesis", str(RUN / "swarm.toml"), *files]) == 0
    assert "HOLDS" in capsys.readouterr().out


@pytest.mark.parametrize("path", MODELS, ids=lambda path: path.name)
def test_each_model_beats_uniform(path: Path, kernels: None) -> None:
    game = config(path.name.rpartition("-")[0])
    player = SearchPlayer(NetworkEvaluator(load_model(path)), 4, 4)
    assert meet(game, player, UniformPlayer(), seed=bytes(32), blocks=8).share > 1.2 / game.players


def test_the_games_can_be_replayed_and_the_models_are_rated(capsys: pytest.CaptureFixture[str]) -> None:
    for games in sorted((RUN / "games").iterdir()):
        assert main(["replay", str(games / "slot-0.safetensors")]) == 0
    assert capsys.readouterr().out
    ratings = json.loads((RUN / "ratings.json").read_text())
    assert set(ratings) == {"hex8-2", "hex8-3", "square8-2"}


@pytest.mark.parametrize("path", CERTIFICATES, ids=lambda path: path.stem)
def test_more_search_was_never_worse(path: Path) -> None:
    """By what the trainer of each promoted model measured: the policy alone, then 16 simulations, then 64."""
    measures = _statement(path)["predicate"]["proposal"]["measures"]
    equal = 1_000_000 // config(path.stem.rpartition("-")[0]).players
    assert int(measures["policy_vs_search_16"]) < equal
    assert int(measures["search_64_vs_16"]) >= equal


def test_the_first_models_of_siblings_come_from_hex8_2() -> None:
    """The swarm did what docs/learning.md says of siblings, and the certificates tell it."""
    models = {path.stem: _statement(path)["predicate"]["model"] for path in CERTIFICATES}
    for name in ("hex8-3-1", "square8-2-1"):
        parents = [other for other, model in models.items() if model["digest"] == models[name]["parent"]]
        assert [parent.rpartition("-")[0] for parent in parents] == ["hex8-2"]


def _statement(path: Path) -> Any:
    return json.loads(base64.b64decode(json.loads(path.read_text())["payload"]))
