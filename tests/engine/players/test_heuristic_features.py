"""The heuristic's features against a second writing of them, on coordinates and from the docstring alone."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from numpy.typing import NDArray

from engine.backend.dialect import PLAIN
from engine.boards import Board, Cell, board
from engine.config import Config, config
from engine.games import Games
from engine.players import heuristic_features as feature
from engine.players.heuristic import WEIGHTS, describe
from engine.position import Position, cap_of, read_position
from engine.rules import state as record
from tests.engine.positions import position


def expected(settings: Config, row: NDArray[np.int16]) -> NDArray[np.float64]:
    """Return float64[P, FEATURES]."""
    return np.array([list(_Seat(settings, row, seat).features()) for seat in range(1, settings.players + 1)])


class _Seat:
    """A position as one player sees it."""

    def __init__(self, settings: Config, row: NDArray[np.int16], seat: int) -> None:
        self.settings, self.row, self.seat = settings, row, seat
        self.shape: Board = board(settings.board)
        self.seen: Position = read_position(settings, row)
        cells = self.shape.cells
        self.stacks = {cells[cell]: rings for cell, rings in self.seen.stacks.items()}
        self.own = {cell: rings for cell, rings in self.stacks.items() if rings[-1] == seat}
        self.markers = {cells[cell] for cell, owner in self.seen.markers.items() if owner == seat}
        self.walls = {cells[cell] for cell in self.seen.collapsed}

    def features(self) -> Iterator[float]:
        settings, seen = self.settings, self.seen
        eliminated = seen.eliminated[self.seat - 1] / settings.ring_threshold
        territory = seen.territory[self.seat - 1] / settings.territory_minimum
        caps = sum(cap_of(rings) for rings in self.own.values())
        lines = [(cell, target) for cell in self.stacks for target in self.targets(cell)]
        yield seen.winner == self.seat
        yield eliminated
        yield territory
        yield max(eliminated, territory) ** 2
        yield len(self.own) / 8
        yield len(self.own) == 0
        yield len(self.own) == 1
        yield sum(min(len(rings), 5) + 0.1 * max(len(rings) - 5, 0) for rings in self.own.values()) / 16
        yield caps / 16
        yield len(self.markers) / 16
        yield seen.hand[self.seat - 1] / settings.rings
        yield (sum(rings.count(self.seat) for rings in self.stacks.values()) - caps) / 16
        yield sum(len(self.landings(cell)) for cell in self.own) / 64
        yield sum(cell in self.own and target not in self.own for cell, target in lines) / 8
        yield sum(cell not in self.own and target in self.own for cell, target in lines) / 8
        yield sum(self.row_of(cell, 2, self.markers) for cell in self.markers) / 8
        yield sum(self.row_of(cell, 3, self.markers) for cell in self.markers) / 4
        yield sum(self.nearness(cell) for cell in self.own) / 8
        yield sum(self.row_of(cell, 2, set(self.own)) for cell in self.own) / 8
        yield (self.row[record.STREAK] if self.row[record.STREAK_OWNER] == self.seat else 0) / 3
        yield not any(self.landings(cell) or self.targets(cell) for cell in self.own)

    def free(self, start: Cell, step: Cell) -> list[Cell]:
        """Return the cells that one can pass or land on from a cell in a direction."""
        (x, y), cells = start, list[Cell]()
        while True:
            x, y = x + step[0], y + step[1]
            if (x, y) not in self.shape.index or (x, y) in self.stacks or (x, y) in self.walls:
                return cells
            cells.append((x, y))

    def landings(self, cell: Cell) -> list[Cell]:
        """Return where the stack on a cell can move: at least as far as it is high."""
        tall = len(self.stacks[cell])
        return [landing for step in self.shape.directions for landing in self.free(cell, step)[tall - 1 :]]

    def targets(self, cell: Cell) -> list[Cell]:
        """Return what the stack on a cell can capture: a first stack of no higher cap, with room to land behind it."""
        found = []
        for step in self.shape.directions:
            before = len(self.free(cell, step))
            target = (cell[0] + step[0] * (before + 1), cell[1] + step[1] * (before + 1))
            if target in self.stacks and cap_of(self.stacks[target]) <= cap_of(self.stacks[cell]):
                behind = len(self.free(target, step))
                if behind >= 1 and before + 1 + behind >= len(self.stacks[cell]):
                    found.append(target)
        return found

    def row_of(self, cell: Cell, length: int, cells: set[Cell]) -> int:
        """Return along how many axes so many of the cells stand in a row that begins with this one."""
        axes = self.shape.directions[: self.shape.axes]
        return sum(all((cell[0] + x * far, cell[1] + y * far) in cells for far in range(length)) for x, y in axes)

    def nearness(self, cell: Cell) -> float:
        middle = self.shape.low + (self.shape.side - 1) / 2
        x, y = cell[0] - middle, cell[1] - middle
        distance = max(abs(x), abs(y), abs(x + y) if len(self.shape.directions) == 6 else 0)
        return 1 - distance / ((self.shape.side - 1) / 2)


def _positions(settings: Config, count: int, step: int) -> Iterator[Games]:
    """Yield positions of random games until the last of them has ended."""
    games = Games.new(settings, count)
    yield games.copy()
    while not games.over().all():
        games.play_randomly(seed=5, steps=step)
        yield games.copy()


def test_the_kernel_sees_what_the_docstring_says(any_config: Config) -> None:
    seen = []
    for games in _positions(any_config, 4, len(board(any_config.board).cells) // 4):
        found = describe(games)
        assert found.shape == (4, any_config.players, feature.FEATURES)
        for row, features in zip(games.states, found, strict=True):
            np.testing.assert_allclose(features, expected(any_config, row), atol=1e-5)
        seen.append(found.reshape(-1, feature.FEATURES))
    never = {number for number in range(feature.FEATURES) if not np.concatenate(seen)[:, number].any()}
    rare = {feature.ONE_STACK, feature.MARKER_TRIPLES, feature.EXCLUSIVE_ROUNDS}
    assert never <= rare, "features that these games do not test"


@pytest.mark.parametrize("name", ["square8-2", "hex8-3"])
def test_plain_python_sees_the_same(name: str, kernels: None) -> None:
    for games in _positions(config(name), 2, 40):
        plain = describe(Games(games.config, games.states, PLAIN))
        np.testing.assert_allclose(plain, describe(games), rtol=1e-6)


def test_a_position_that_can_be_counted_by_hand() -> None:
    """A stack of three in the middle, an opponent's single ring three steps away, and two of his markers."""
    games = position(
        config("hex8-2"), stacks={(0, 0): "111", (3, 0): "2"}, markers={(0, 3): 2, (0, 4): 2}, hands=(0, 5)
    )
    games.states[0, [record.STREAK_OWNER, record.STREAK]] = 2, 2
    first, second = describe(games)[0]
    assert (first[feature.EXCLUSIVE_ROUNDS], second[feature.EXCLUSIVE_ROUNDS]) == (0, pytest.approx(2 / 3))
    assert first[feature.ONE_STACK] == second[feature.ONE_STACK] == 1
    assert (first[feature.HEIGHTS], second[feature.CAPS]) == (3 / 16, 1 / 16)
    assert first[feature.REACH] == 5 * 2 / 64  # in five directions to distance 3 and 4; one is blocked
    assert (first[feature.CAPTURES], second[feature.EXPOSED]) == (1 / 8, 1 / 8)
    assert (first[feature.EXPOSED], second[feature.CAPTURES]) == (0, 0)  # its cap is lower
    assert second[feature.MARKER_PAIRS] == 1 / 8
    assert (first[feature.CENTRE], second[feature.CENTRE]) == (1 / 8, pytest.approx(1 / 32))
    assert second[feature.RINGS_IN_HAND] == pytest.approx(5 / 18)


def test_every_feature_has_a_weight() -> None:
    assert sorted(WEIGHTS) == list(range(feature.FEATURES))
