"""`scripts/distil` writes a network that plays, and says in one line what is wrong with its arguments."""

from __future__ import annotations

import json
import runpy
from pathlib import Path

import pytest

from engine.config import config
from engine.nnue.network import load_nnue
from tests.training.conftest import MODEL, SEED
from training.model import save_model
from training.network import Network
from training.selfplay import play_shard
from training.settings import SelfPlaySettings
from training.shard import write_shard

DISTIL = runpy.run_path(str(Path(__file__).parents[2] / "scripts" / "distil.py"))
TINY = ["--width", "16", "--steps", "2", "--games", "17"]
Output = pytest.CaptureFixture[str]


def test_games_of_the_heuristic_are_enough(tmp_path: Path, kernels: None, capsys: Output) -> None:
    assert DISTIL["main"]([str(tmp_path), *TINY, "--config", "hex8-2", "--config", "hex8-3", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["board"], found["width"]) == ("hex8", 16)
    assert set(found["foresight"]) == {"hex8-2", "hex8-3"}
    assert set(found["foresight"]["hex8-2"]) == {"positions", "log_loss", "constant", "correlation"}
    assert load_nnue(tmp_path).width == 16


def test_a_network_learns_from_its_own_games_too(tmp_path: Path, kernels: None, capsys: Output) -> None:
    assert DISTIL["main"]([str(tmp_path / "a"), *TINY]) == 0
    players = ["--players", "uniform", f"nnue:{tmp_path / 'a'}"]
    assert DISTIL["main"]([str(tmp_path / "b"), *TINY, *players]) == 0
    capsys.readouterr()
    assert (load_nnue(tmp_path / "a").weights != load_nnue(tmp_path / "b").weights).any()


def test_shards_and_a_teacher_are_taken(tmp_path: Path, kernels: None, capsys: Output) -> None:
    shard = play_shard(config("hex8-2"), None, MODEL, SEED, 20, SelfPlaySettings())
    save_model(tmp_path / "model", Network("c4b1"))
    sources = ["--shards", str(write_shard(tmp_path, shard).path), "--teacher", str(tmp_path / "model")]
    assert DISTIL["main"]([str(tmp_path / "nnue"), *TINY, *sources]) == 0
    assert "hex8-2" in capsys.readouterr().out
    assert load_nnue(tmp_path / "nnue").board == "hex8"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--shards", "/nowhere"], "nowhere: cannot be read (No such file or directory)"),
        (["--teacher", "/nowhere"], "config.json: cannot be read (No such file or directory)"),
        (["--players", "nobody"], "nobody: is not a player; the players are uniform, heuristic"),
        (["--config", "hex8-2", "--config", "square8-2"], "a network is for one board, but the games are of"),
    ],
)
def test_mistakes_are_one_line(arguments: list[str], words: str, tmp_path: Path, kernels: None, capsys: Output) -> None:
    assert DISTIL["main"]([str(tmp_path), *TINY, *arguments]) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"distil: {words}")
    assert error.count("\n") == 1
