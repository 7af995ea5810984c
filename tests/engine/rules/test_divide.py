"""The shortcut before floods: where too few cells stop them, nothing is cut off."""

from functools import cache
from itertools import combinations

import pytest

from engine.backend.dialect import plain_row
from engine.boards import BOARDS, Board, board
from engine.config import Config, config
from engine.games import Games
from engine.rules import state as record
from engine.rules import tables
from engine.rules.regions import may_divide


@cache
def neighbours(name: str) -> list[frozenset[int]]:
    """The cells beside each cell of a board."""
    shape = board(name)
    cells = range(len(shape.cells))
    return [frozenset(shape.neighbour(cell, step) for step in shape.adjacent) & frozenset(cells) for cell in cells]


def parts(shape: Board, stops: set[int]) -> int:
    """How many connected parts the cells form that are not stops."""
    left, count, beside = set(range(len(shape.cells))) - stops, 0, neighbours(shape.name)
    while left:
        count += 1
        queue = [left.pop()]
        while queue:
            cell = queue.pop()
            for near in beside[cell] & left:
                left.remove(near)
                queue.append(near)
    return count


def near(shape: Board, one: int, other: int) -> bool:
    return all(abs(a - b) <= 2 for a, b in zip(shape.cells[one], shape.cells[other], strict=True))


@pytest.mark.parametrize("name", BOARDS)
def test_fewer_stops_than_a_corner_has_neighbours_cut_nothing_off(name: str) -> None:
    shape = board(name)
    cells = range(len(shape.cells))
    corner = min(sum(shape.neighbour(cell, step) in cells for step in shape.adjacent) for cell in cells)
    assert corner == (3 if len(shape.adjacent) == 6 else 2)
    for count in range(1, corner):
        for stops in combinations(cells, count):
            # cells far from each other are no cut where each alone is none: a cut hangs together, or on the edge
            if len(cells) < 100 or count == 1 or near(shape, *stops):
                assert parts(shape, set(stops)) == 1, stops


def test_what_is_not_looked_at_is_not_divided(small_config: Config) -> None:
    games = Games.new(small_config, 60)
    shape, table = board(small_config.board), plain_row(tables(small_config))
    skipped = divided = 0
    for _ in range(12):
        games.play_randomly(seed=6, steps=5)
        for row in games.states:
            cells = row[record.BOARD : record.BOARD + len(shape.cells)]
            for colour in range(small_config.players + 1):
                stopping = (cells > record.BLOCKED) & (cells < record.STACK) | ((cells == colour) & (colour > 0))
                if may_divide(table, plain_row(row), colour):
                    divided += 1
                elif colour == 0 or row[record.MARKERS + colour] > 0:
                    skipped += 1
                    assert parts(shape, set(stopping.nonzero()[0].tolist())) == 1
    assert skipped > 300
    assert divided > 1000


def test_a_corner_cut_off_is_looked_at() -> None:
    for name, first in (("square8-2", 2), ("hex8-2", 3)):
        row = Games.new(config(name), 1).states[0]
        table = plain_row(tables(config(name)))
        for markers in range(1, 5):
            row[record.MARKERS + 1] = markers
            assert may_divide(table, plain_row(row), 1) == (markers >= first)
            assert not may_divide(table, plain_row(row), 2)
            row[record.MARKERS + 1], row[record.TERRITORY + 2] = 0, markers
            assert may_divide(table, plain_row(row), 0) == (markers >= first)
            assert not may_divide(table, plain_row(row), 1), "no marker of that colour, no flood for it"
            row[record.TERRITORY + 2] = 0
