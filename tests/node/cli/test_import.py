"""`ringrift-node import`: games that are sound are kept once, and what is wrong with the others is said."""

import json
from pathlib import Path
from typing import Any

import pytest

from engine.reference_games import check_games, read_games
from node.cli import main
from node.play.game import PlayedGame
from node.play.records import record_game
from tests.node.play.games import random_game

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
