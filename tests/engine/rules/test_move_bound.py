"""The bound on legal moves: positions that come within its order, and rows that are shorter."""

import numpy as np
import pytest

from engine.backend.cpu import cpu
from engine.backend.dialect import PLAIN, Word, plain_row
from engine.boards import board
from engine.config import config
from engine.games import Games
from engine.play import play_randomly, replay
from engine.position_parser import set_up
from engine.rules import legal_moves, move_bound, scratch_width, tables


def crowded(name: str) -> Games:
    """Player 1 has a marker on every third cell, none beside another, and rings buried in the other's stacks."""
    settings = config(name)
    cells = sorted(board(settings.board).cells)
    marked = [(x, y) for x, y in cells if (x - y) % 3 == 0]
    stacked = [cell for cell in cells if cell not in marked][: settings.rings]
    left = settings.rings - len(stacked)
    lines = [f"b {settings.board} 2", "t 1 movement active -", f"p 1 {left} 0 0", f"p 2 {left} 0 0"]
    lines += [f"s {x},{y} 12" for x, y in stacked] + [f"m {x},{y} 1" for x, y in marked]
    return set_up("\n".join(lines))


@pytest.mark.parametrize(("name", "expected"), [("hex8-2", 1_837), ("hexagonal-2", 85_249)])
def test_positions_exist_with_very_many_legal_moves(kernels: None, name: str, expected: int) -> None:
    games = crowded(name)
    moves = games.legal().moves
    assert len(moves) == len(set(moves.tolist())) == expected
    assert move_bound(games.config) / 2.5 < expected < move_bound(games.config)
    plain = Games(games.config, games.states.copy(), PLAIN)
    assert (plain.legal().moves == moves).all()
    for play in (games, plain):
        assert play.play_randomly(seed=9, steps=1).tolist() == [1]
    assert (games.states == plain.states).all()
    assert (games.copy().replay([0, 1], [-1]) == [0]).all()


def test_a_short_row_stops_play_and_changes_nothing() -> None:
    games = crowded("hex8-2")
    table, scratch = plain_row(tables(games.config)), plain_row(np.zeros(scratch_width(games.config), np.int32))
    first, last = games.legal().moves[[0, -1]].tolist()
    state, room = games.states[0].copy(), np.full(300, -1, np.int64)
    rules = table, plain_row(state), scratch, plain_row(room[:200])
    assert legal_moves(*rules) == 1_837
    assert play_randomly(*rules, Word(1), Word(2), 5) == -1_837
    assert replay(*rules, plain_row(np.array([last])), 0, 1) == 0
    assert (state == games.states[0]).all()
    assert (room[200:] == -1).all()
    assert replay(*rules, plain_row(np.array([first])), 0, 1) == 1


def test_threads_have_long_rows_each(kernels: None) -> None:
    many = crowded("hexagonal-2").take(np.zeros(6, int))
    two = Games(many.config, many.states.copy(), cpu(2))
    assert (two.play_randomly(seed=4, steps=3) == many.play_randomly(seed=4, steps=3)).all()
    assert (two.states == many.states).all()
