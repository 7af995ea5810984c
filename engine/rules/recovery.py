"""Recovery: the slides of a player without stacks (RULES.md section J)."""

from __future__ import annotations

from engine.backend.dialect import Int, Longs, Row, Short, func
from engine.moves import Kind, pack
from engine.rules.lines import collapse_run, run_length
from engine.rules.markers import put_marker, take_marker
from engine.rules.output import emit
from engine.rules.stacks import eliminate_lowest, eliminate_top, has_buried
from engine.rules.state import BOARD, EMPTY, MARKERS, ONBOARD, STACK, STACKS, content
from engine.rules.tables import AXES, CELLS, DIRECTIONS, LINE, opposite, step


@func
def may_recover(state: Row, player: int) -> bool:
    """Return whether a player may slide: no stack, a marker and a buried ring.

    Without a stack, every own ring on the board is a buried one.
    """
    return int(state[STACKS + player]) == 0 and int(state[MARKERS + player]) > 0 and int(state[ONBOARD + player]) > 0


@func
def longest_run(tables: Row, state: Row, cell: int, player: int) -> tuple[int, int]:
    """Return length and axis of the longest run of the player's markers through a cell, which counts as a marker."""
    length = Int(0)
    best = Int(0)
    for axis in range(int(tables[AXES])):
        run = run_length(tables, state, cell, axis, player) + 1
        run += run_length(tables, state, cell, opposite(tables, axis), player)
        if run > length:
            length = run
            best = axis
    return length, best


@func
def run_start(tables: Row, state: Row, cell: int, axis: int, player: int) -> int:
    """Return the first cell of the run of markers through a cell, which counts as a marker."""
    back = opposite(tables, axis)
    first = Int(cell)
    for _ in range(run_length(tables, state, cell, back, player)):
        first = step(tables, first, back)
    return first


@func
def payments(tables: Row, state: Row, player: int, kind: int, start: int, cell: int, out: Longs, written: int) -> int:
    """Write a slide once for each stack that can pay for it with a buried ring."""
    count = Int(written)
    for payer in range(int(tables[CELLS])):
        if content(state, payer) >= STACK and has_buried(tables, state, payer, player):
            count = emit(out, count, pack(kind, start, cell, payer))
    return count


@func
def free_parts(tables: Row, state: Row, player: int, start: int, cell: int, axis: int, out: Longs, written: int) -> int:
    """Write a slide once for each part of the required length that contains the cell slid to."""
    count = Int(written)
    needed = int(tables[LINE])
    before = run_length(tables, state, cell, opposite(tables, axis), player)
    length = before + 1 + run_length(tables, state, cell, axis, player)
    first = run_start(tables, state, cell, axis, player)
    for offset in range(length - needed + 1):
        if offset <= before and before < offset + needed:
            count = emit(out, count, pack(Kind.RS_L2, start, cell, first * 8 + axis))
        first = step(tables, first, axis)
    return count


@func
def line_slides(tables: Row, state: Row, player: int, start: int, out: Longs, written: int) -> int:
    """Write the slides of one marker that make a line. Meanwhile the marker is off the board."""
    count = Int(written)
    needed = int(tables[LINE])
    state[BOARD + start] = Short(EMPTY)
    for direction in range(int(tables[DIRECTIONS])):
        cell = step(tables, start, direction)
        if content(state, cell) == EMPTY:
            length, axis = longest_run(tables, state, cell, player)
            if length >= needed:
                count = payments(tables, state, player, Kind.RS_L1, start, cell, out, count)
                if length > needed:
                    count = free_parts(tables, state, player, start, cell, axis, out, count)
    state[BOARD + start] = Short(player)
    return count


@func
def other_slides(tables: Row, state: Row, player: int, start: int, out: Longs, written: int) -> int:
    """Write the slides of one marker to empty cells and onto stacks."""
    count = Int(written)
    for direction in range(int(tables[DIRECTIONS])):
        cell = step(tables, start, direction)
        here = content(state, cell)
        if here == EMPTY:
            count = payments(tables, state, player, Kind.RS_F, start, cell, out, count)
        elif here >= STACK:
            count = payments(tables, state, player, Kind.RS_S, start, cell, out, count)
    return count


@func(inline=False)
def recovery_moves(tables: Row, state: Row, player: int, out: Longs) -> int:
    """Write the moves of phase M for a player who may recover."""
    count = Int(0)
    for cell in range(int(tables[CELLS])):
        if content(state, cell) == player:
            count = line_slides(tables, state, player, cell, out, count)
    if count == 0:
        for cell in range(int(tables[CELLS])):
            if content(state, cell) == player:
                count = other_slides(tables, state, player, cell, out, count)
    return emit(out, count, pack(Kind.SR, 0, 0, 0))


@func
def slide(tables: Row, state: Row, start: int, cell: int, payer: int, player: int) -> None:
    """Slide to an empty cell and pay a buried ring."""
    take_marker(state, start)
    put_marker(state, cell, player)
    eliminate_lowest(tables, state, payer, player)


@func
def strike(tables: Row, state: Row, start: int, cell: int, payer: int, player: int) -> None:
    """Slide onto a stack: the marker is gone, the stack loses its top ring; then pay a buried ring."""
    take_marker(state, start)
    eliminate_top(tables, state, cell, 1, player)
    eliminate_lowest(tables, state, payer, player)


@func
def slide_into_line(tables: Row, state: Row, start: int, cell: int, payer: int, player: int) -> None:
    """Slide, collapse the longest run through the cell slid to, and pay a buried ring."""
    slide(tables, state, start, cell, payer, player)
    length, axis = longest_run(tables, state, cell, player)
    collapse_run(tables, state, run_start(tables, state, cell, axis, player), axis, length, player)


@func
def slide_into_part(tables: Row, state: Row, start: int, cell: int, part: int, player: int) -> None:
    """Slide and collapse one part of the line for free; `part` = its first cell * 8 + axis."""
    take_marker(state, start)
    put_marker(state, cell, player)
    collapse_run(tables, state, part >> 3, part & 7, int(tables[LINE]), player)
