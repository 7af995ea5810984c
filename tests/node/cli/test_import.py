"""`ringrift-node import`: sound games are kept once, models that can play go to the node, and the rest is refused."""

import hashlib
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import torch
import trio

from engine.reference_games import check_games, read_games
from node.cli import main
from node.config.address import Address
from node.membership.governance import GovernanceError
from node.play.game import PlayedGame
from node.play.records import record_game
from node.web.server import serve_local
from tests.node.cli.running import ask
from tests.node.fake_source import FakeSource
from tests.node.play.games import random_game
from tests.node.web.test_control import FakeActions
from training.model import save_model
from training.network import Network

Output = pytest.CaptureFixture[str]


@pytest.fixture
def played(kernels: None) -> PlayedGame:
    return random_game("hex8-2", 3, plies=9)  # broken off: nobody won


def record(played: PlayedGame, name: str, **changes: Any) -> str:
    game = {**json.loads(record_game(played, name, {})), **changes}
    return json.dumps(game) + "\n"


def test_sound_games_are_kept_once(played: PlayedGame, tmp_path: Path, capsys: Output) -> None:
    steps = json.loads(record_game(played, "x", {}))["steps"]
    steps[4] = [*steps[4][:4], "PR 99,99 1", steps[4][5]]
    texts = [
        record(played, "good"),
        record(played, "again"),
        record(played, "liar", winner=2),
        record(played, "pie", swap=True),
        record(played, "broken", steps=steps),
    ]
    source, out = tmp_path / "theirs.jsonl", tmp_path / "ours.jsonl"
    source.write_text("".join(texts))
    assert main(["import", str(source), "--to", str(out), "--json"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert (told["kept"], told["again"], len(told["refused"])) == ({"hex8-2": 1}, 1, 3)
    assert told["refused"][0] == "theirs.jsonl, game liar: says that 2 won, but nobody did"
    assert "pie rule" in told["refused"][1]
    assert told["refused"][2] == "theirs.jsonl, game broken: move 5 is not legal"
    (kept,) = read_games(out)
    assert kept["id"] == "theirs-good"
    assert check_games([kept]).mismatches == ()
    assert main(["import", str(out), "--to", str(tmp_path / "third.jsonl")]) == 0
    assert "1 game, each replayed: 1 of hex8-2" in capsys.readouterr().out
    assert main(["import", str(out), "--to", str(out)]) == 2, "nothing is overwritten"


def test_nothing_sound_is_nothing_written(played: PlayedGame, tmp_path: Path, capsys: Output) -> None:
    source = tmp_path / "theirs.jsonl"
    source.write_text(record(played, "pie", swap=True))
    assert main(["import", str(source), "--to", str(tmp_path / "out")]) == 2
    assert "none of the games can be kept (theirs.jsonl, game pie: was played with" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.fixture
def model(tmp_path: Path) -> Path:
    torch.manual_seed(3)
    save_model(tmp_path / "model", Network("c4b1"))
    return tmp_path / "model"


@pytest.fixture
async def actions(source: FakeSource, tmp_path: Path) -> AsyncIterator[FakeActions]:
    """What a node whose data folder is node1 is told to do."""
    actions, folder = FakeActions(source), tmp_path / "node1"
    folder.mkdir()
    async with trio.open_nursery() as nursery:
        await nursery.start(serve_local, source, Address("127.0.0.1", 0), folder, actions)
        yield actions
        nursery.cancel_scope.cancel()


async def test_a_model_is_checked_and_handed_to_the_node(
    model: Path, actions: FakeActions, tmp_path: Path, capsys: Output
) -> None:
    exported = tmp_path / "exported"
    assert await ask("export", "--model", model, "--to", exported, "--data", tmp_path) == 0
    arguments = ("import", exported, "--data", tmp_path, "--configuration", "hex8-2")
    capsys.readouterr()
    assert await ask(*arguments) == 0
    shown = capsys.readouterr().out
    assert "nominated model abababab" in shown
    assert "(c4b1) for hex8-2 as candidate cacacaca" in shown
    assert "wins its match against cdcdcdcd" in shown
    (request,) = actions.imported
    assert request["folder"] == str(exported)
    assert (request["architecture"], request["configuration"]) == ("c4b1", "hex8-2")
    for name in ("config.json", "weights.safetensors"):
        assert request["files"][name] == hashlib.sha256((model / name).read_bytes()).hexdigest()
    assert len(request["files"]) == 2, "the card is no part of the model"
    assert await ask(*arguments, "--json") == 0
    assert json.loads(capsys.readouterr().out)["candidate"] == "ca" * 32


async def test_what_no_node_could_nominate_is_said_before_it_is_asked(
    model: Path, actions: FakeActions, tmp_path: Path, capsys: Output
) -> None:
    async def complaint(*arguments: str | Path) -> str:
        assert await ask("import", *arguments, "--data", tmp_path) == 2
        return capsys.readouterr().err

    assert "say for which configuration; write one of hex8-2, square8-2" in await complaint(model)
    assert "hex9-9 is not played in this swarm" in await complaint(model, "--configuration", "hex9-9")
    assert "--to: is for games" in await complaint(model, "--to", tmp_path / "x")
    assert "import one model at a time" in await complaint(model, model)
    games = tmp_path / "games.jsonl"
    games.touch()
    assert "name it with --to OUT" in await complaint(games)
    (tmp_path / "empty").mkdir()
    wanted = ("--configuration", "hex8-2")
    assert "config.json" in await complaint(tmp_path / "empty", *wanted)
    network = Network("c4b1")
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.fill_(3e38)
    save_model(tmp_path / "huge", network)
    assert "its answers are not finite numbers" in await complaint(tmp_path / "huge", *wanted)
    (model / "weights.safetensors").write_bytes(b"PK\x03\x04 a pickle")
    assert "is not a model that this program reads" in await complaint(model, *wanted)
    assert actions.imported == []


async def test_what_the_node_has_against_it_is_said(
    model: Path, actions: FakeActions, tmp_path: Path, capsys: Output
) -> None:
    actions.complaint = GovernanceError(409, "hex8-2 is played by networks c16b2, and this one is c4b1")
    assert await ask("import", model, "--data", tmp_path, "--configuration", "hex8-2") == 2
    assert "played by networks c16b2" in capsys.readouterr().err
