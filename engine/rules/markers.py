"""Markers and collapsed cells: put, flipped, taken, collapsed, with the counts kept beside them."""

from __future__ import annotations

from engine.backend.dialect import Row, Short, func
from engine.rules.state import BLOCKED, BOARD, EMPTY, MARKERS, TERRITORY, add, content
from engine.rules.tables import step


@func
def is_marker(value: int) -> bool:
    return value > EMPTY and value < BLOCKED


@func
def put_marker(state: Row, cell: int, player: int) -> None:
    """Leave a marker on an empty cell."""
    state[BOARD + cell] = Short(player)
    add(state, MARKERS + player, 1)


@func
def take_marker(state: Row, cell: int) -> None:
    """Remove the marker of a cell."""
    add(state, MARKERS + content(state, cell), -1)
    state[BOARD + cell] = Short(EMPTY)


@func
def collapse(state: Row, cell: int, player: int) -> None:
    """Make an empty cell or a marker's cell territory of the player."""
    if content(state, cell) != EMPTY:
        take_marker(state, cell)
    state[BOARD + cell] = Short(BLOCKED + player)
    add(state, TERRITORY + player, 1)


@func
def pass_over(tables: Row, state: Row, start: int, end: int, direction: int, player: int) -> None:
    """Flip the others' markers and collapse the player's own between two cells (RULES.md section D)."""
    cell = step(tables, start, direction)
    while cell != end:
        here = content(state, cell)
        if here == player:
            collapse(state, cell, player)
        elif is_marker(here):
            take_marker(state, cell)
            put_marker(state, cell, player)
        cell = step(tables, cell, direction)
