"""`ringrift-node play`: a whole game by typed lines, every command, and mistakes in one line each."""

import base64
import hashlib
import io
import json
import sys
import time
from pathlib import Path

import pytest

from engine.backend.compiling import compiling
from engine.config import config
from engine.reference_games import check_games, read_games
from node.cli import main
from node.cli.play.command import telling_what_takes_long
from node.cli.play.lines import NotAMove, read_move
from node.cli.play.shown import position_lines
from node.play.game import PlayedGame
from tests.node.play.games import random_game
from training.model import save_model
from training.network import Network

Shown = pytest.CaptureFixture[str]


def play(monkeypatch: pytest.MonkeyPatch, lines: str, *options: str) -> int:
    monkeypatch.setattr(sys, "stdin", io.StringIO(lines))
    return main(["play", *options])


def test_a_whole_game_by_typed_lines(
    kernels: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: Shown
) -> None:
    saved = tmp_path / "game.jsonl"
    lines = "1\n" * 150 + f"hint\nsave {saved}\nboard\nquit\n"
    assert play(monkeypatch, lines, "hex8-2", "--strength", "policy", "--seed", "x", "--data", str(tmp_path)) == 0
    shown = capsys.readouterr().out
    assert "you are player 1; against the built-in heuristic." in shown
    assert "Strength policy, seed x." in shown
    assert "won by" in shown or "won as" in shown
    assert "The game is over: there is nothing to think about." in shown
    (recorded,) = read_games(saved)
    assert recorded["winner"] in (1, 2)
    assert (recorded["seed"], recorded["model"], recorded["persons"]) == ("x", "the built-in heuristic", "1")
    assert check_games([recorded]).mismatches == ()
    assert not [line for line in shown.splitlines() if len(line) > 80 and str(tmp_path) not in line]
    assert "\x1b" not in shown


def test_every_command_says_what_it_did(
    kernels: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: Shown
) -> None:
    lines = "help\nmoves\nhint\nanalysis\nundo\n0,0 2\nundo\nsave\n0,0 2\n0,0 2,0\nundo\nfoo bar\n"
    assert play(monkeypatch, lines, "square8-2", "--strength", "16", "--data", str(tmp_path)) == 0
    shown = capsys.readouterr().out
    for words in (
        "save FILE    write the game",
        " 1  place 1 ring on 0,0",
        "more; name one by its cells",
        "The model would place ",
        "policy  visits  move",
        "● player 1  ",
        "There is no move of yours to take back.",
        "1. Player 1: place 2 rings on 0,0 (PR 0,0 2)",
        "Move a stack in a line, at least as far as it is high, or capture.",
        "Say where: save FILE.",
        "2. Player 1: move 0,0 to 2,0 (MV 0,0 2,0)",
        '"foo" is not a coordinate such as 0,0, nor a command; help lists them.',
    ):
        assert words in shown, words


def test_equal_seeds_give_equal_games(kernels: None, monkeypatch: pytest.MonkeyPatch, capsys: Shown) -> None:
    shown = []
    for _ in range(2):
        assert play(monkeypatch, "1\n" * 8, "hex8-3", "--seat", "2", "--strength", "16", "--seed", "7") == 0
        shown.append(capsys.readouterr().out)
    assert shown[0] == shown[1]
    assert "hex8-3: you are player 2;" in shown[0]


def test_a_model_plays_from_its_folder_and_from_a_data_folder(
    kernels: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: Shown
) -> None:
    saved = save_model(tmp_path / "model", Network("c8b1"))
    manifest = hashlib.sha256(b"manifest").hexdigest()
    for number, digest in ((1, "0" * 64), (2, manifest)):
        _write_certificate(tmp_path, number, digest, {name: value.hex() for name, value in saved.digests.items()})
    for name, value in saved.digests.items():
        blob = tmp_path / "blobs" / value.hex()[:2] / value.hex()
        blob.parent.mkdir(parents=True, exist_ok=True)
        blob.write_bytes((tmp_path / "model" / name).read_bytes())
    data = ("--data", str(tmp_path), "--strength", "16", "--seat", "2")
    folder = str(tmp_path / "model")
    for options, name in (
        ((), f"model {manifest[:10]}…, canonical since promotion 2 of hex8-2."),
        (("--model", manifest[:8]), f"against model {manifest[:10]}…. Strength"),
        (("--model", folder), f"the model in {folder}."),
    ):
        assert play(monkeypatch, "analysis\n", "hex8-2", *data, *options) == 0
        shown = " ".join(capsys.readouterr().out.split())
        assert name in shown
        assert "1. Player 1: place " in shown
    assert play(monkeypatch, "", "square8-2", *data) == 0
    assert "against the built-in heuristic." in capsys.readouterr().out
    weights = tmp_path / "blobs" / saved.digests["weights.safetensors"].hex()[:2]
    next(weights.iterdir()).write_bytes(b"damaged")
    assert play(monkeypatch, "", "hex8-2", *data) == 2
    assert "is damaged; run the node" in capsys.readouterr().err


def _write_certificate(data: Path, number: int, digest: str, files: dict[str, str]) -> None:
    subject = [
        {"name": name, "digest": {"sha256": value}} for name, value in {"manifest.cbor": digest, **files}.items()
    ]
    statement = {"subject": subject, "predicate": {"configuration": "hex8-2", "number": number}}
    folder = data / "certificates"
    folder.mkdir(exist_ok=True)
    payload = base64.b64encode(json.dumps(statement).encode()).decode()
    (folder / f"hex8-2-{number:04}.json").write_text(json.dumps({"payload": payload}))
    (folder / "broken.json").write_text("[]")


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (["hex9-2"], "unknown configuration 'hex9-2'"),
        (["hex8-2", "--strength", "9"], '--strength: must be one of policy, 16, 64, 400, not "9"'),
        (["hex8-2", "--seat", "3"], "--seat: must be 1 to 2, or 0 to watch, not 3"),
        (["hex8-2", "--model", "abcd"], '--model: no models in . are called "abcd"'),
        (["hex8-2", "--model", __file__], "give the folder of a model"),
    ],
)
def test_mistakes_in_the_options_are_one_line(
    options: list[str], complaint: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: Shown
) -> None:
    monkeypatch.chdir(tmp_path)
    assert play(monkeypatch, "", *options) == 2
    captured = capsys.readouterr()
    assert captured.err.startswith("ringrift-node: ")
    assert complaint in captured.err
    assert captured.err.count("\n") == 1


@pytest.mark.parametrize(
    ("typed", "legal"),
    [
        ("0,0", "0,0 can mean several moves: place 1 ring on 0,0; place 2 rings on 0,0; place 3 rings on 0,0"),
        ("0,0 7", "0,0 7 is not legal; from 0,0: place 1 ring on 0,0"),
        ("9,9", "9,9 is not on the board, which goes from -4,0 to 4,0"),
        ("0", "there is no move 0; moves lists 1 to 183"),
        ("skip", "there is nothing to skip now; legal: place 1 ring on -4,0"),
        ("0,0 2,0", "0,0 2,0 is not legal; from 0,0: place 1 ring"),
        ("²,0", "is not a coordinate such as 0,0, nor a command; help lists them"),
    ],
)
def test_a_line_that_is_no_move_says_what_is_legal(typed: str, legal: str, kernels: None) -> None:
    with pytest.raises(NotAMove) as caught:
        read_move(PlayedGame(config("hex8-2")), typed)
    assert str(caught.value).startswith(legal) or legal in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_move_is_named_by_its_text_number_or_cells(kernels: None) -> None:
    game = PlayedGame(config("hex8-2"), random_game("hex8-2", seed=8, plies=30).moves)
    for number, choice in enumerate(game.choices, 1):
        assert read_move(game, choice.text.lower()) == choice
        assert read_move(game, str(number)) == choice
    game.go_back(0)
    game.play(read_move(game, "0,0 2").move)
    assert read_move(game, "2,0").text == read_move(game, "0,0 2,0").text == "MV 0,0 2,0"


@pytest.mark.parametrize("name", ["square8-4", "square19-4", "hex8-4", "hexagonal-4"])
def test_every_board_fits_80_columns(name: str, kernels: None) -> None:
    lines = list(position_lines(random_game(name, seed=2, plies=60)))
    assert len(lines) > 8
    assert max(line.cell_len for line in lines) <= 80


def test_compiling_that_takes_long_is_told_once(capsys: Shown) -> None:
    with telling_what_takes_long(patience_s=0.01):
        for _ in range(2):
            with compiling("engine.kernels"):
                time.sleep(0.1)
    assert capsys.readouterr().err.count("The rules are compiled for this machine") == 1
    with telling_what_takes_long(), compiling("engine.kernels"):
        pass
    assert capsys.readouterr().err == ""


def test_a_game_is_played_by_a_program(
    kernels: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: Shown
) -> None:
    lines = "1\nnonsense\nquit\n"
    options = ["hex8-2", "--strength", "policy", "--seed", "x", "--data", str(tmp_path), "--json"]
    assert play(monkeypatch, lines, *options) == 0
    told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    positions = [line for line in told if "legal" in line]
    assert positions[0]["moves"] == []
    assert positions[1]["moves"][0] == positions[0]["legal"][0]
    assert all(line["is_yours"] for line in positions)
    assert any("nonsense" in str(line["said"]) for line in told if "said" in line)
