"""Recorded games are shown as they were played, with what the searches found, and nothing of a bad file is."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.config import config
from engine.games import IllegalMoveError
from node.play.game import PlayedGame
from node.play.process import answer
from node.play.recorded import Recorded, record_info
from tests.docs.test_http_api import misfits
from tests.node.play.games import random_game, write_shard_of
from training.arrays import Stored
from training.match import MatchGame, write_games
from training.progress import ignore_progress

pytestmark = pytest.mark.usefixtures("kernels")


@pytest.fixture
def games() -> list[PlayedGame]:
    return [random_game("square8-2", seed) for seed in (1, 2, 3)]


def ask(stored: Stored, number: int, job: str = "record of", **fields: Any) -> Any:
    request = {"job": job, "path": str(stored.path), "digest": stored.digest.hex(), "kind": "match", "number": number}
    return answer({**request, **fields}, ignore_progress)


def show(stored: Stored, number: int) -> Any:
    return json.loads(ask(stored, number)["body"])


def test_every_position_of_a_shard_is_as_it_was_and_has_its_search(games: list[PlayedGame], tmp_path: Path) -> None:
    shown = show(write_shard_of(tmp_path, games), 2)
    game = games[1]
    assert list(misfits(shown, "[RecordInfo](#recordinfo)", "")) == []
    assert (shown["number"], shown["games"], shown["opening"], shown["block"]) == (2, 3, 2, None)
    assert [name[:10] for name in shown["players"]] == ["model 0001", "model 0001"]
    assert [step["made"]["move"] for step in shown["steps"][1:]] == [
        game.made(number).text for number in range(1, len(game.moves) + 1)
    ]
    lies: dict[str, str] = {}
    for number, step in enumerate(shown["steps"]):
        lies |= step["changed"]
        position = game.position(number)
        kinds = [sum(what.startswith(kind) for what in lies.values()) for kind in "smc"]
        assert kinds == [len(position.stacks), len(position.markers), len(position.collapsed)]
        assert (step["player"], step["winner"]) == (position.player, position.winner)
        thought = step["thought"]
        assert (thought is not None) == (number % 3 == 0 and number < len(game.moves))
        if thought is not None:
            assert shown["steps"][number + 1]["made"]["move"] in [each["move"] for each in thought["policy"]]
            assert sum(each["share"] for each in thought["policy"]) == pytest.approx(1, abs=1e-3)
            assert thought["chances"][0] == pytest.approx((1 + number / len(game.moves)) / 2, abs=1e-3)
    assert shown["steps"][-1]["winner"] > 0
    spars = [show(write_shard_of(tmp_path, games), number)["players"].count("the heuristic") for number in (1, 2, 3)]
    assert spars == [1, 0, 1]


def test_a_match_tells_who_had_which_seat(games: list[PlayedGame], tmp_path: Path) -> None:
    played = [MatchGame((7, bytes(32)), number, 2, np.array(games[number].moves, np.int64), 1) for number in (0, 1)]
    stored = write_games(tmp_path, config("square8-2"), played)
    assert show(stored, 1)["players"] == ["the candidate", "the incumbent"]
    second = show(stored, 2)
    assert (second["players"], second["block"], second["opening"]) == (["the incumbent", "the candidate"], 0, None)
    assert all(step["thought"] is None for step in second["steps"])


def test_the_model_is_asked_about_any_position(games: list[PlayedGame], tmp_path: Path) -> None:
    stored = write_shard_of(tmp_path, games)
    fields = {"model": None, "simulations": 16, "seed": "s"}
    thought = json.loads(ask(stored, 1, "thought of", moves=4, **fields)["body"])
    assert list(misfits(thought, "[RecordThoughtInfo](#recordthoughtinfo)", "")) == []
    shares = [each["share"] for each in thought["policy"]]
    assert shares == sorted(shares, reverse=True)
    assert sum(thought["chances"]) == pytest.approx(1, abs=1e-3)
    over = ask(stored, 1, "thought of", moves=len(games[0].moves), **fields)
    assert over == {"refused": "the game is over, so there is nothing to think about"}
    assert "no position after that many" in ask(stored, 1, "thought of", moves=9999, **fields)["refused"]


def test_what_is_wrong_with_a_file_is_said_in_one_line(games: list[PlayedGame], tmp_path: Path) -> None:
    stored = write_shard_of(tmp_path, games)
    assert ask(stored, 4) == {"refused": "the file holds 3 games, so there is no game 4"}
    assert ask(stored, 0) == {"refused": "the file holds 3 games, so there is no game 0"}
    stored.path.write_bytes(stored.path.read_bytes()[:-1] + b"?")
    assert ask(stored, 1) == {"refused": "the file is damaged here; the node fetches it again"}
    stored.path.unlink()
    assert "cannot be read" in ask(stored, 1)["refused"]


def test_a_game_that_breaks_the_rules_is_refused(games: list[PlayedGame]) -> None:
    moves = [games[0].moves[0], games[0].moves[0]]
    with pytest.raises(IllegalMoveError, match="move 2 is not legal after the 1 before it"):
        record_info(Recorded(config=games[0].config, number=1, games=1, moves=moves, players=("", "")))
