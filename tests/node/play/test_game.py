"""Games that are played move by move: choices are the engine's legal moves, undo goes back, files replay."""

from pathlib import Path

import numpy as np
import pytest

from engine.backend.dialect import PLAIN
from engine.boards import board
from engine.choices import PASSES, find_choices
from engine.config import config
from engine.games import Games, IllegalMoveError
from engine.move_parser import legal_texts
from engine.moves import Kind, move_a, move_b, move_c
from engine.reference_games import check_games, moves_of, read_games
from node.cli import main
from node.play.explanation import explain
from node.play.game import PlayedGame
from node.play.records import record_game
from tests.node.play.games import random_game

RECORDED = Path(__file__).parents[2] / "data" / "parity"


@pytest.mark.parametrize("name", ["square8-2", "hex8-3"])
def test_the_choices_are_the_legal_moves_of_the_engine(name: str) -> None:
    game, chance = PlayedGame(config(name), executor=PLAIN), np.random.default_rng(5)
    for _ in range(25):
        assert [choice.text for choice in game.choices] == legal_texts(game.games, 0)
        game.play(int(chance.choice([choice.move for choice in game.choices])))


def test_every_kind_of_move_is_named_by_its_cells(kernels: None) -> None:
    kinds: set[Kind] = set()
    for name in ("hex8-3-fill-52", "square8-3-rec-60485", "hex8-2-cap-60106"):
        path = RECORDED / f"{'-'.join(name.split('-')[:2])}.jsonl.gz"
        recorded = next(game for game in read_games(path) if game["id"] == name)
        game = PlayedGame(config(f"{recorded['board']}-{recorded['players']}"))
        for move in moves_of(recorded).tolist():
            kinds |= {choice.kind for choice in game.choices}
            made = next(choice for choice in game.choices if choice.move == move)
            named = find_choices(game.choices, [step[-1] for step in made.steps])
            assert made in named
            assert made.steps or len(named) == len(game.choices)
            assert len(explain(game.position(), game.choices)) < 80
            game.apply(move)
        assert game.is_over
        assert not game.choices
    assert kinds == set(Kind) - {Kind.SW}


def test_a_capture_may_be_named_with_the_stack_that_it_captures() -> None:
    game, chance = PlayedGame(config("square8-2"), executor=PLAIN), np.random.default_rng(1)
    while not (captures := [choice for choice in game.choices if choice.kind == Kind.OC]):
        game.play(int(chance.choice([choice.move for choice in game.choices])))
    move = captures[0].move
    for cells in ([move_a(move), move_c(move)], [move_a(move), move_b(move), move_c(move)]):
        assert find_choices(game.choices, cells) == [captures[0]]


def test_passes_are_played_by_themselves() -> None:
    game = random_game("hex8-2", seed=3)
    assert game.is_over
    again = PlayedGame(game.config, executor=PLAIN)
    for move in game.moves:
        if move & 255 not in PASSES:
            again.play(move)
    assert again.moves == game.moves


def test_going_back_restores_the_position_and_its_choices() -> None:
    game = random_game("square8-2", seed=4, plies=30)
    number = game.last_decision({1})
    assert number is not None
    assert game.mover(number + 1) == 1
    texts = PlayedGame(game.config, game.moves[:number], executor=PLAIN).choices
    game.go_back(number)
    assert len(game.moves) == number
    assert game.choices == texts
    game.play(texts[0].move)
    fresh = PlayedGame(config("square8-2"), executor=PLAIN)
    assert fresh.last_decision({1, 2}) is None


def test_what_is_not_legal_is_refused_and_changes_nothing() -> None:
    game = PlayedGame(config("hex8-2"), executor=PLAIN)
    with pytest.raises(IllegalMoveError, match="not one of the 183 legal moves"):
        game.find("PR 9,9 1")
    with pytest.raises(IllegalMoveError):
        game.play(4)
    assert game.moves == []


@pytest.mark.parametrize(("name", "plies"), [("square8-2", None), ("hex8-4", 40)])
def test_a_saved_game_agrees_with_the_rules_and_is_shown(
    name: str, plies: int | None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    game = random_game(name, seed=6, plies=plies)
    path = tmp_path / "game.jsonl"
    path.write_text(record_game(game, "play-1", {"seed": "1", "model": "the built-in heuristic"}))
    (recorded,) = read_games(path)
    assert moves_of(recorded).tolist() == game.moves
    assert check_games([recorded], PLAIN).mismatches == ()
    assert main(["replay", str(path)]) == 0
    shown = capsys.readouterr().out
    assert f"Game play-1: {name}, {len(game.moves)} moves" in shown
    assert ("won" if game.is_over else "broken off") in shown


def test_every_cell_of_the_board_can_be_named() -> None:
    game = PlayedGame(config("hex8-2"), executor=PLAIN)
    cells = {choice.steps[0][0] for choice in game.choices}
    assert cells == set(range(len(board("hex8").cells)))
    assert len(game.choices) == len(Games.new("hex8-2", 1, executor=PLAIN).legal().moves)
