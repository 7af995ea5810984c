"""`ringrift-node replay`: games from every kind of file, as lists, positions and pictures; mistakes in one line."""

import gzip
import json
import os
import re
import sys
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from functools import partial
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import resvg_py

from engine import notation
from engine.backend.dialect import PLAIN
from engine.config import config
from engine.games import Games
from engine.position import Position
from engine.reference_games import read_games
from node.cli import main
from node.cli.board import EMPTY, MARKERS, STACKS, TERRITORY, board_lines
from node.cli.replay.games import load_games, replay
from training.arrays import write_arrays
from training.match import KIND as MATCH_KIND
from training.match import MatchGame, write_games
from training.shard import Shard, write_shard

RECORDED = Path(__file__).parents[2] / "data" / "parity"
DOCS = Path(__file__).parents[3] / "docs" / "pictures"
SQUARE8 = RECORDED / "square8-4.jsonl.gz"


@pytest.fixture
def one_game(tmp_path: Path) -> Path:
    """A plain file that holds one short game of hex8."""
    games = list(read_games(RECORDED / "hex8-2.jsonl.gz"))
    path = tmp_path / "one.jsonl"
    path.write_text(json.dumps(min(games, key=lambda game: len(game["steps"]))) + "\n")
    return path


def recorded(path: Path) -> dict[str, Any]:
    return next(iter(read_games(path)))


def played_moves(name: str, seeds: range) -> tuple[list[list[int]], list[int]]:
    """Random games to their end: their moves and winners."""
    moves, winners = [], []
    for seed in seeds:
        rng = np.random.default_rng(seed)
        games = Games.new(config(name), 1, executor=PLAIN)
        listed: list[int] = []
        while not games.over()[0]:
            listed.append(int(rng.choice(games.legal().moves)))
            games.apply(listed[-1:], check=False)
        moves.append(listed)
        winners.append(int(games.winner()[0]))
    return moves, winners


def write_match(directory: Path) -> tuple[Path, list[list[int]], list[int]]:
    moves, winners = played_moves("hex8-2", range(4))
    games = [
        MatchGame((i // 2, bytes(32)), i % 2, 0, np.array(listed, np.int64), winners[i])
        for i, listed in enumerate(moves)
    ]
    return write_games(directory, config("hex8-2"), games).path, moves, winners


def write_own_shard(directory: Path) -> tuple[Path, list[list[int]], list[int]]:
    moves, winners = played_moves("hex8-2", range(10, 12))
    shard = Shard(
        config="hex8-2",
        model=bytes(32),
        seed=bytes(32),
        lengths=np.array([len(each) for each in moves], np.int32),
        openings=np.array([4, 0], np.int32),
        winners=np.array(winners, np.int8),
        moves=np.concatenate(moves),
        searched=np.zeros(0, np.int32),
        choices=np.zeros(0, np.int32),
        entries=np.zeros(0, np.uint16),
        weights=np.zeros(0, np.uint16),
        values=np.zeros(0, np.int16),
    )
    return write_shard(directory, shard).path, moves, winners


def test_the_games_of_a_file_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["replay", str(SQUARE8)]) == 0
    told = capsys.readouterr().out
    for number, game in enumerate(read_games(SQUARE8), 1):
        line = next(line for line in told.splitlines() if game["id"] in line.split())
        assert line.split()[:5] == [str(number), game["id"], "square8-4", str(len(game["steps"])), str(game["winner"])]


def test_moves_are_listed_as_they_were_recorded(one_game: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["replay", str(one_game), "--list"]) == 0
    head, *lines = capsys.readouterr().out.splitlines()
    game = recorded(one_game)
    assert f"player {game['winner']} won" in head
    assert game["id"] in head
    assert len(lines) == len(game["steps"])
    for number, (line, step) in enumerate(zip(lines, game["steps"], strict=True), 1):
        fields = line.split(maxsplit=3)
        phase = notation.PHASE_NAMES[notation.PHASES.index(step[1])].replace("_", " ")
        assert fields[:3] == [str(number), "player", str(step[0])]
        assert fields[3].removeprefix(phase).strip() == step[4]


def test_json_holds_moves_and_the_position_as_recorded(one_game: Path, capsys: pytest.CaptureFixture[str]) -> None:
    game = recorded(one_game)
    assert main(["replay", str(one_game), "--at", "20", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [step["move"] for step in told["moves"]] == [step[4] for step in game["steps"]]
    assert "\n".join(told["position"]) == game["steps"][19][6]
    assert (told["winner"], told["end"], told["at"]) == (game["winner"], game["end"], 20)


def read_board(position: Position) -> list[str]:
    """The canonical lines of stacks, markers and territory, read back from the text board of square8."""
    found = []
    for y, line in enumerate(board_lines(position)[1:]):
        cells = line.plain[4:].ljust(8 * 7)
        for x in range(8):
            drawn = cells[7 * x : 7 * x + 7].strip()
            if drawn[0] in STACKS:
                assert drawn[-1] == str(STACKS.index(drawn[0]) + 1)
                found.append(f"s {x},{y} {drawn[1:]}")
            elif drawn[0] in MARKERS:
                found.append(f"m {x},{y} {MARKERS.index(drawn) + 1}")
            elif drawn[0] == TERRITORY:
                found.append(f"c {x},{y} {drawn[1]}")
            else:
                assert drawn == EMPTY
    return found


def test_the_text_board_shows_everything() -> None:
    game = next(game for game in load_games(SQUARE8) if len(game.moves) > 120)
    played = replay(game, "here")
    for number in range(0, 120, 7):
        text = notation.state_text(game.config, played.rows[number]).split("\n")
        wanted = sorted(line for line in text if line[0] in "smc" and len(line.split()[2]) < 6)
        tall = sum(len(line.split()[2]) > 5 for line in text if line[0] == "s")
        shown = read_board(played.position(number))
        assert sorted(line for line in shown if "…" not in line) == wanted
        assert sum("…" in line for line in shown) == tall


@pytest.mark.parametrize("name", ["square19-2", "hex8-3", "hexagonal-3"])
def test_every_cell_of_a_board_has_its_place(name: str) -> None:
    played = replay(load_games(RECORDED / f"{name}.jsonl.gz")[0], "here")
    for number in (0, 60):
        position = played.position(number)
        drawn = "".join(line.plain for line in board_lines(position))
        cells = len(notation.cell_names(position.config.board))
        taken = len(position.stacks), len(position.markers), len(position.collapsed)
        assert sum(drawn.count(sign) for sign in STACKS) == taken[0]
        assert sum(drawn.count(sign) for sign in MARKERS) == taken[1]
        assert drawn.count(TERRITORY) == taken[2]
        assert drawn.count(EMPTY) == cells - sum(taken)


def test_one_position_and_all_positions(one_game: Path, capsys: pytest.CaptureFixture[str]) -> None:
    steps = recorded(one_game)["steps"]
    assert main(["replay", str(one_game), "--at", "3"]) == 0
    told = capsys.readouterr().out
    assert f"After move 3 of {len(steps)}: player {steps[2][0]} {steps[2][4]}" in told
    assert f"Player {steps[3][0]} to move" in told
    assert main(["replay", str(one_game), "--all"]) == 0
    everything = capsys.readouterr().out
    assert everything.count("After move") == len(steps) + 1
    assert told.split("After move 3", 1)[1].split("\n\n")[1] in everything


def test_a_game_is_walked_through_with_the_keyboard(
    one_game: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = len(recorded(one_game)["steps"])
    keys = ["", "", "b", "7", "b", "99999", "", "x", "0", "b", "Q", "3"]
    monkeypatch.setattr(sys, "stdin", StringIO("\n".join(keys) + "\n"))
    assert main(["replay", str(one_game), "--step"]) == 0
    told = capsys.readouterr().out
    numbers = [int(number) for number in re.findall(r"After move (\d+) of", told)]
    assert numbers == [0, 1, 2, 1, 7, 6, steps, steps, steps, 0, 0], "what is no key is taken for Enter"
    assert told.count(f"Enter: on, b: back, 0 to {steps}: after that move, q: quit") == len(numbers)
    monkeypatch.setattr(sys, "stdin", StringIO(""))
    assert main(["replay", str(one_game), "--step"]) == 0, "the end of the input ends it"


def test_the_last_move_shown_is_the_last_on_the_board(one_game: Path) -> None:
    played = replay(load_games(one_game)[0], "here")
    assert played.last_on_board(0) is None
    texts = [step.text for step in played.steps]
    assert texts[1][:2] == "MV"
    assert texts[2:4] == ["NL", "NT"]
    assert played.last_on_board(4) is played.last_on_board(2) is played.steps[1].last
    assert played.last_on_board(1) is played.steps[0].last


@pytest.mark.parametrize("write", [write_match, write_own_shard])
def test_games_of_workers_are_read(
    write: Callable[[Path], tuple[Path, list[list[int]], list[int]]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, moves, winners = write(tmp_path)
    games = load_games(path)
    assert [list(game.moves) for game in games] == moves
    assert main(["replay", str(path), "--game", "2", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["winner"] == winners[1]
    assert len(told["moves"]) == len(moves[1])
    assert main(["replay", str(path)]) == 0
    assert games[1].note in capsys.readouterr().out


def test_seats_of_a_match_are_told(tmp_path: Path) -> None:
    path, _, _ = write_match(tmp_path)
    notes = [game.note for game in load_games(path)]
    assert notes[1] == "match, block 1, the candidate is player 2"
    assert notes[2] == "match, block 2, the candidate is player 1"


def test_pictures_are_written(one_game: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    svg, png = tmp_path / "at.svg", tmp_path / "at.png"
    assert main(["replay", str(one_game), "--at", "7", "--svg", str(svg), "--png", str(png)]) == 0
    assert capsys.readouterr().out.count("after move 7") == 2
    root = ElementTree.fromstring(svg.read_text())
    data = png.read_bytes()
    assert data.startswith(b"\x89PNG\r\n\x1a\n")
    wide, high = int.from_bytes(data[16:20], "big"), int.from_bytes(data[20:24], "big")
    assert (wide, high) == pytest.approx((2 * float(root.attrib["width"]), 2 * float(root.attrib["height"])), abs=2)
    assert len(data) > 20_000  # a picture, not an empty sheet


@pytest.mark.parametrize(
    ("name", "file", "game", "at"),
    [
        ("square8", "square8-4", 35, 200),
        ("hex8", "hex8-3", 23, 140),
        ("square19", "square19-3", 2, 360),
        ("hexagonal", "hexagonal-2", 1, 500),
    ],
)
def test_the_pictures_of_the_docs_are_what_is_drawn_now(
    name: str, file: str, game: int, at: int, tmp_path: Path
) -> None:
    drawn = tmp_path / "drawn.svg"
    source = RECORDED / f"{file}.jsonl.gz"
    assert main(["replay", str(source), "--game", str(game), "--at", str(at), "--svg", str(drawn)]) == 0
    assert drawn.read_bytes() == (DOCS / f"{name}.svg").read_bytes()


def test_without_the_library_png_names_the_remedy(
    one_game: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "resvg_py", None)
    assert main(["replay", str(one_game), "--png", str(tmp_path / "at.png")]) == 2
    told = capsys.readouterr().err
    assert told == (
        "ringrift-node: --png: resvg-py is not installed; pip install 'ringrift-swarm[picture]', or write --svg\n"
    )
    assert not (tmp_path / "at.png").exists()


def test_a_machine_without_fonts_is_told_what_is_missing(
    one_game: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(resvg_py, "svg_to_bytes", partial(resvg_py.svg_to_bytes, skip_system_fonts=True))
    assert main(["replay", str(one_game), "--png", str(tmp_path / "at.png")]) == 0
    assert "no font was found, so words and numbers are missing" in capsys.readouterr().err


def refused(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    """The one line with which the command line refuses."""
    assert main(["replay", *map(str, arguments)]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert "Traceback" not in err
    return err


def test_choices_that_do_not_exist(one_game: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    steps = len(recorded(one_game)["steps"])
    assert f"say 0 to {steps}" in refused(capsys, one_game, "--at", steps + 1)
    assert "say 0 to" in refused(capsys, one_game, "--at", -1)
    assert "choose one with --game" in refused(capsys, SQUARE8, "--list")
    assert "numbered 1 to 1" in refused(capsys, one_game, "--game", "7")
    known = recorded(SQUARE8)["id"]
    assert f"did you mean {known}?" in refused(capsys, SQUARE8, "--game", known + "1x")
    assert "write one position" in refused(capsys, one_game, "--all", "--svg", tmp_path / "at.svg")
    assert "is not overwritten" in refused(capsys, one_game, "--svg", one_game)
    assert "cannot be written" in refused(capsys, one_game, "--svg", tmp_path / "no" / "at.svg")


def damaged_files(directory: Path) -> dict[str, tuple[bytes, str]]:
    """Files that hold no games, and a part of what is to be said about each."""
    game = recorded(RECORDED / "hex8-2.jsonl.gz")
    line = json.dumps(game).encode()
    packed = SQUARE8.read_bytes()
    match = write_match(directory)[0].read_bytes()
    other = write_arrays(directory, "weather/1", {}, {"rain": np.zeros(3)}).path.read_bytes()

    def changed(**fields: object) -> bytes:
        return json.dumps({**game, **fields}).encode()

    illegal = [*game["steps"][:3], [1, "P", 1, None, "PR 9,9 1", "0"]]
    too_long = [*game["steps"], game["steps"][-1]]
    return {
        "empty.jsonl": (b"", "holds no games"),
        "text.txt": (b"hello\n", "cannot be read as recorded games"),
        "deep.jsonl": (b"[" * 100_000, "cannot be read as recorded games"),
        "cut.jsonl.gz": (packed[: len(packed) // 2], "cannot be read as recorded games"),
        "version.jsonl": (changed(v=2), "line 1: not a recorded game of version 1"),
        "board.jsonl": (changed(board="go9"), "line 1: no configuration go9-2"),
        "steps.jsonl": (line + b"\n" + changed(steps=[1, 2]), "line 2: the game's steps"),
        "illegal.jsonl": (changed(steps=illegal), f"game {game['id']}: move 4, PR 9,9 1, is not legal"),
        "long.jsonl": (changed(steps=too_long), f"move {len(too_long)}, "),
        "cut.safetensors": (match[:-4], "cut.safetensors: not a readable safetensors file"),
        "other.safetensors": (other, "is a 'weather/1' file and holds no games"),
        "binary.safetensors": (b"12345678{" + bytes(50), "written by this program; give a file of recorded games"),
    }


def test_damaged_files_are_refused_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name, (data, reason) in damaged_files(tmp_path / "made").items():
        path = tmp_path / name
        path.write_bytes(data)
        told = refused(capsys, path, "--game", "1")
        assert told.startswith(f"ringrift-node: {path}"), told
        assert reason in told
        assert ";" in told, "no remedy"


def test_damaged_match_moves_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _, moves, _ = write_match(tmp_path)
    moves[1][5] = -1
    arrays = {"lengths": np.array([len(each) for each in moves], np.int32), "moves": np.concatenate(moves)}
    path = write_arrays(tmp_path, MATCH_KIND, {"config": "hex8-2"}, arrays).path
    assert "game 2: move 6, -1, is not legal" in refused(capsys, path, "--game", "2")
    arrays["lengths"] += 1
    path = write_arrays(tmp_path, MATCH_KIND, {"config": "hex8-2"}, arrays).path
    assert "lengths of the match's games are damaged" in refused(capsys, path)


def test_a_missing_file_and_a_directory(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "check the path" in refused(capsys, tmp_path / "none.jsonl")
    assert "check the path" in refused(capsys, tmp_path)


def test_packed_and_plain_files_hold_the_same_games(one_game: Path, tmp_path: Path) -> None:
    packed = tmp_path / "packed.jsonl"  # the name does not matter
    packed.write_bytes(gzip.compress(one_game.read_bytes()))
    assert load_games(packed) == load_games(one_game)


def test_recorded_games_as_editors_save_them(one_game: Path, tmp_path: Path) -> None:
    data, saved = one_game.read_bytes(), tmp_path / "saved.jsonl"
    for made in (b"\xef\xbb\xbf" + data, data.replace(b"\n", b"\r\n"), data.rstrip(), data + b"\n \n"):
        saved.write_bytes(made)
        assert load_games(saved) == load_games(one_game)


def test_what_is_no_file_or_too_large_holds_no_games(
    one_game: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert "is a pipe, not a file" in refused(capsys, tmp_path / "pipe")
    assert "is a device, not a file" in refused(capsys, Path("/dev/zero"))
    (tmp_path / "utf16").write_bytes(one_game.read_text().encode("utf-16"))
    assert "line 1: this is UTF-16, not UTF-8" in refused(capsys, tmp_path / "utf16")
    packed = tmp_path / "packed"
    packed.write_bytes(gzip.compress(bytes(1 << 25)))
    assert "line 1 is above the limit" in refused(capsys, packed)
    packed.write_bytes(gzip.compress(one_game.read_bytes() * 9))
    monkeypatch.setattr("node.cli.replay.games._MAX_BYTES", 8 * one_game.stat().st_size)
    assert "above the limit" in refused(capsys, packed)
