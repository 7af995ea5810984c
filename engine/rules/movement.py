"""Moves and captures of stacks: their landing cells and their effects (RULES.md sections D and E)."""

from __future__ import annotations

from engine.backend.dialect import Int, Longs, Row, func
from engine.moves import Kind, pack
from engine.rules.markers import is_marker, pass_over, put_marker, take_marker
from engine.rules.output import emit
from engine.rules.stacks import eliminate_top, height, move_stack, push_bottom, take_top
from engine.rules.state import ACTIVE, BLOCKED, STACK, STACKS, cap, content, owner
from engine.rules.tables import DIRECTIONS, direction_between, step

ANY_DISTANCE = 64  # longer than any board is wide


@func(inline=False)
def stack_moves(tables: Row, state: Row, start: int, kind: int, with_moves: bool, out: Longs, written: int) -> int:
    """Write the captures of the stack on a cell as moves of `kind`, and its plain moves if `with_moves`."""
    count = Int(written)
    tall = height(tables, state, start)
    strength = cap(content(state, start))
    for direction in range(int(tables[DIRECTIONS])):
        distance = Int(1)
        cell = step(tables, start, direction)
        while content(state, cell) < BLOCKED:
            if with_moves and distance >= tall:
                count = emit(out, count, pack(Kind.MV, start, cell, 0))
            distance += 1
            cell = step(tables, cell, direction)
        facing = content(state, cell)
        if facing >= STACK and cap(facing) <= strength:
            target = Int(cell)
            distance += 1
            cell = step(tables, cell, direction)
            while content(state, cell) < BLOCKED:
                if distance >= tall:
                    count = emit(out, count, pack(kind, start, target, cell))
                distance += 1
                cell = step(tables, cell, direction)
    return count


@func
def movement_moves(tables: Row, state: Row, player: int, out: Longs) -> int:
    """Write the moves and captures of phase M: those of the stack that must act, or of all own stacks."""
    active = int(state[ACTIVE])
    if active >= 0:
        return stack_moves(tables, state, active, Kind.OC, True, out, 0)
    count = Int(0)
    left = Int(int(state[STACKS + player]))
    cell = Int(0)
    while left > 0:
        here = content(state, cell)
        if here >= STACK and owner(here) == player:
            count = stack_moves(tables, state, cell, Kind.OC, True, out, count)
            left -= 1
        cell += 1
    return count


@func
def free_run(tables: Row, state: Row, cell: int, direction: int, wanted: int) -> tuple[int, int]:
    """Return the number of free cells from a cell on in a direction, at most `wanted`, and the cell after them.

    Returns:
        The number, and the next cell, which is blocked unless `wanted` cells are free.
    """
    run = Int(0)
    at = step(tables, cell, direction)
    while run < wanted and content(state, at) < BLOCKED:
        run += 1
        at = step(tables, at, direction)
    return run, at


@func(inline=False)
def can_capture(tables: Row, state: Row, cell: int, tall: int, strength: int) -> bool:
    """Return whether a stack of this height and cap has a capture from the cell."""
    for direction in range(int(tables[DIRECTIONS])):
        run, target = free_run(tables, state, cell, direction, ANY_DISTANCE)
        facing = content(state, target)
        if facing >= STACK and cap(facing) <= strength:
            wanted = max(tall - run - 1, 1)
            beyond, _ = free_run(tables, state, target, direction, wanted)
            if beyond == wanted:
                return True
    return False


@func
def can_act(tables: Row, state: Row, cell: int, tall: int, strength: int) -> bool:
    """Return whether a stack of this height and cap has a move or a capture from the cell."""
    for direction in range(int(tables[DIRECTIONS])):
        run, _ = free_run(tables, state, cell, direction, tall)
        if run == tall:
            return True
    return can_capture(tables, state, cell, tall, strength)


@func
def stack_can_act(tables: Row, state: Row, cell: int) -> bool:
    return can_act(tables, state, cell, height(tables, state, cell), cap(content(state, cell)))


@func(inline=False)
def any_stack_can_act(tables: Row, state: Row, player: int) -> bool:
    """Return whether the player controls a stack that can move or capture."""
    left = Int(int(state[STACKS + player]))
    cell = Int(0)
    while left > 0:
        here = content(state, cell)
        if here >= STACK and owner(here) == player:
            if stack_can_act(tables, state, cell):
                return True
            left -= 1
        cell += 1
    return False


@func
def land(tables: Row, state: Row, start: int, cell: int, player: int) -> None:
    """Put the stack of `start` down on `cell`, leave a marker at `start`, and pay for a marker landed on."""
    marked = is_marker(content(state, cell))
    if marked:
        take_marker(state, cell)
    move_stack(tables, state, start, cell)
    put_marker(state, start, player)
    if marked:
        eliminate_top(tables, state, cell, 1, player)


@func
def move(tables: Row, state: Row, start: int, cell: int, player: int) -> None:
    """Move a stack, with the effects on the cells that it passes."""
    direction = direction_between(tables, start, cell)
    pass_over(tables, state, start, cell, direction, player)
    land(tables, state, start, cell, player)


@func
def capture(tables: Row, state: Row, start: int, target: int, cell: int, player: int) -> None:
    """Jump over a stack and put its top ring under the jumper, with the effects on the cells that it passes."""
    direction = direction_between(tables, start, target)
    pass_over(tables, state, start, target, direction, player)
    pass_over(tables, state, target, cell, direction, player)
    push_bottom(tables, state, start, take_top(tables, state, target))
    land(tables, state, start, cell, player)


@func
def capture_follows(tables: Row, state: Row, cell: int, player: int) -> bool:
    """Return whether the stack that just landed on a cell still belongs to the player and can capture from there."""
    here = content(state, cell)
    if here < STACK or owner(here) != player:
        return False
    return can_capture(tables, state, cell, height(tables, state, cell), cap(here))
