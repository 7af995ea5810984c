"""Recounts a state record from its cells and chains and holds the counters kept beside them against that."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.boards import board
from engine.config import Config
from engine.rules import state as record
from engine.rules.tables import BELOW, BOTTOM, HEIGHT, TOP, tables


@dataclass(frozen=True)
class Counts:
    """What lies on the board: cells by kind, and the rings of every stack from the top down."""

    markers: int
    collapsed: int
    eliminated: int
    stacks: dict[int, list[int]]

    @property
    def progress(self) -> int:
        return self.markers + self.collapsed + self.eliminated

    @property
    def potential(self) -> int:
        """F of the proof in `engine.rules.state` that every game ends."""
        return self.progress + self.collapsed


def audit(config: Config, state: NDArray[np.int16]) -> Counts:
    """Assert every invariant of a record and return what lies on the board."""
    table, row = tables(config).tolist(), state.tolist()
    cells = len(board(config.board).cells)
    seats = range(1, config.players + 1)
    contents = row[record.BOARD : record.BOARD + cells]
    assert row[record.BOARD + cells] == record.BLOCKED, "the place beyond the edge"
    stacks = {cell: _rings(config, row, table, cell) for cell, value in enumerate(contents) if value >= record.STACK}
    for cell, rings in stacks.items():
        _check_stack(config, row, table, cell, rings)
    on_board = [ring for rings in stacks.values() for ring in rings]
    assert len(set(on_board)) == len(on_board), "a ring in two places"
    for seat in seats:
        own = [ring for ring in on_board if ring // config.rings + 1 == seat]
        hand = row[record.HAND + seat]
        assert 0 <= hand <= config.rings
        assert all(ring % config.rings < config.rings - hand for ring in own), "a ring on the board and in hand"
        assert row[record.ONBOARD + seat] == len(own)
        assert row[record.MARKERS + seat] == contents.count(seat)
        assert row[record.TERRITORY + seat] == contents.count(record.BLOCKED + seat)
        assert row[record.STACKS + seat] == sum(value >= record.STACK and value & 7 == seat for value in contents)
    hands = sum(row[record.HAND + seat] for seat in seats)
    eliminated = sum(row[record.ELIMINATED + seat] for seat in seats)
    assert hands + len(on_board) + eliminated == config.players * config.rings, "rings are conserved"
    assert set(contents) <= {0, *seats, *(8 + seat for seat in seats)} | {v for v in contents if v >= 16}
    _check_turn(config, row)
    return Counts(
        markers=sum(0 < value < record.BLOCKED for value in contents),
        collapsed=sum(record.BLOCKED < value < record.STACK for value in contents),
        eliminated=eliminated,
        stacks=stacks,
    )


def _rings(config: Config, row: list[int], table: list[int], cell: int) -> list[int]:
    rings = [row[table[TOP] + cell]]
    for _ in range(row[table[HEIGHT] + cell] - 1):
        rings.append(row[table[BELOW] + rings[-1]])
    return rings


def _check_stack(config: Config, row: list[int], table: list[int], cell: int, rings: list[int]) -> None:
    owners = [ring // config.rings + 1 for ring in rings]
    same = next((depth for depth, owner in enumerate(owners) if owner != owners[0]), len(owners))
    assert row[record.BOARD + cell] == 16 * same + owners[0], "cap and controller"
    assert row[table[BOTTOM] + cell] == rings[-1], "the bottom ring"


def _check_turn(config: Config, row: list[int]) -> None:
    over = row[record.PHASE] == record.OVER
    assert (row[record.PLAYER] == 0) == over
    assert (row[record.WINNER] > 0) == over
    assert (row[record.ENDING] > 0) == over
    assert 0 <= row[record.PLAYER] <= config.players
    assert 0 <= row[record.STREAK] <= 3
    assert row[record.OWED] == 0 or row[record.PHASE] in (record.LINES, record.TERRITORIES)
