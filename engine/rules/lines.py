"""Lines of markers: where they are and how they collapse (RULES.md section F)."""

from __future__ import annotations

from engine.backend.dialect import Int, Longs, Row, func
from engine.moves import Kind, pack
from engine.rules.markers import collapse
from engine.rules.output import emit
from engine.rules.state import MARKERS, OWED, STACK, STACKS, content, owner
from engine.rules.tables import AXES, CELLS, LINE, opposite, step


@func
def run_length(tables: Row, state: Row, cell: int, direction: int, player: int) -> int:
    """Return the number of the player's markers that follow a cell in a direction, not counting the cell."""
    length = Int(0)
    at = step(tables, cell, direction)
    while content(state, at) == player:
        length += 1
        at = step(tables, at, direction)
    return length


@func
def line_from(tables: Row, state: Row, cell: int, axis: int, player: int) -> int:
    """Return the length of the maximal run of two or more markers that begins at an own marker; 0 if none does."""
    length = run_length(tables, state, cell, axis, player) + 1
    if length == 1 or content(state, step(tables, cell, opposite(tables, axis))) == player:
        return 0
    return length


@func
def line_choices(tables: Row, cell: int, axis: int, length: int, out: Longs, written: int) -> int:
    """Write the ways to process a line."""
    needed = int(tables[LINE])
    if length == needed:
        return emit(out, written, pack(Kind.PL, cell, axis, length))
    count = emit(out, written, pack(Kind.CL_ALL, cell, axis, length))
    first = Int(cell)
    for _ in range(length - needed + 1):
        count = emit(out, count, pack(Kind.CL_SUB, first, axis, 0))
        first = step(tables, first, axis)
    return count


@func(inline=False)
def line_moves(tables: Row, state: Row, player: int, out: Longs) -> int:
    """Write the ways to process every line of the player."""
    count = Int(0)
    needed = int(tables[LINE])
    if int(state[MARKERS + player]) < needed:
        return count
    left = Int(int(state[MARKERS + player]))
    cell = Int(0)
    while left > 0:
        if content(state, cell) == player:
            left -= 1
            for axis in range(int(tables[AXES])):
                length = line_from(tables, state, cell, axis, player)
                if length >= needed:
                    count = line_choices(tables, cell, axis, length, out, count)
        cell += 1
    return count


@func
def any_line(tables: Row, state: Row, player: int) -> bool:
    """Return whether the player has a line to process."""
    needed = int(tables[LINE])
    if int(state[MARKERS + player]) < needed:
        return False
    for cell in range(int(tables[CELLS])):
        if content(state, cell) == player:
            for axis in range(int(tables[AXES])):
                if line_from(tables, state, cell, axis, player) >= needed:
                    return True
    return False


@func(inline=False)
def elimination_moves(tables: Row, state: Row, player: int, kind: int, out: Longs) -> int:
    """Write one elimination of `kind` for each stack the player controls."""
    count = Int(0)
    for cell in range(int(tables[CELLS])):
        here = content(state, cell)
        if here >= STACK and owner(here) == player:
            count = emit(out, count, pack(kind, cell, 0, 0))
    return count


@func
def line_phase_moves(tables: Row, state: Row, player: int, out: Longs) -> int:
    """Write the moves of phase L."""
    if int(state[OWED]) == 1:
        return elimination_moves(tables, state, player, Kind.EL, out)
    count = line_moves(tables, state, player, out)
    if count == 0:
        return emit(out, count, pack(Kind.NL, 0, 0, 0))
    return count


@func
def collapse_run(tables: Row, state: Row, cell: int, axis: int, length: int, player: int) -> None:
    """Collapse `length` cells of an axis, beginning at a cell."""
    at = Int(cell)
    for _ in range(length):
        collapse(state, at, player)
        at = step(tables, at, axis)


@func
def owes_ring(state: Row, player: int) -> bool:
    """Return whether the player owes a ring for a line just collapsed: one without stacks does not."""
    return int(state[STACKS + player]) > 0
