"""Placements of rings: phase P (RULES.md section C)."""

from __future__ import annotations

from engine.backend.dialect import Int, Longs, Row, func
from engine.moves import Kind, pack
from engine.rules.movement import any_stack_can_act, can_act, free_run
from engine.rules.output import emit
from engine.rules.recovery import may_recover
from engine.rules.stacks import height, place_ring
from engine.rules.state import BLOCKED, EMPTY, HAND, STACK, SWAP, cap, content, owner
from engine.rules.tables import CELLS, DIRECTIONS, ROW_CELL, SIDE


@func
def stack_takes_ring(tables: Row, state: Row, cell: int, player: int) -> bool:
    """Return whether the stack on a cell could act after a ring of the player is placed on top of it."""
    here = content(state, cell)
    strength = Int(1)
    if owner(here) == player:
        strength = cap(here) + 1
    return can_act(tables, state, cell, height(tables, state, cell) + 1, strength)


@func
def counts_allowed(tables: Row, state: Row, cell: int, most: int) -> int:
    """Return a bit for each height, 1 to `most`, with which a stack placed on an empty cell could act."""
    wanted = (2 << most) - 2
    allowed = Int(0)
    for direction in range(int(tables[DIRECTIONS])):
        run, target = free_run(tables, state, cell, direction, most)
        if run == most:
            return wanted
        allowed |= (2 << run) - 2
        facing = content(state, target)
        if facing >= STACK and cap(facing) <= most:
            beyond, _ = free_run(tables, state, target, direction, most)
            if beyond > 0:
                furthest = min(run + 1 + beyond, most)
                allowed |= ((2 << furthest) - 1) & ~((1 << cap(facing)) - 1)
        if allowed & wanted == wanted:
            return wanted
    return allowed & wanted


@func
def place_moves(tables: Row, state: Row, player: int, out: Longs) -> int:
    """Write the placements of a player with rings in hand."""
    count = Int(0)
    most = min(int(state[HAND + player]), 3)
    rows = int(tables[ROW_CELL])
    for row in range(int(tables[SIDE])):
        run = Int(0)  # cells just passed in this row that a stack may pass over
        for cell in range(int(tables[rows + row]), int(tables[rows + row + 1])):
            here = content(state, cell)
            if here == EMPTY:
                allowed = Int((2 << most) - 2)
                if run < most:
                    allowed = counts_allowed(tables, state, cell, most)
                for rings in range(1, most + 1):
                    if (allowed >> rings) & 1 == 1:
                        count = emit(out, count, pack(Kind.PR, cell, rings, 0))
            elif here >= STACK and stack_takes_ring(tables, state, cell, player):
                count = emit(out, count, pack(Kind.PR, cell, 1, 0))
            run += 1
            if here >= BLOCKED:
                run = 0
    return count


@func(inline=False)
def can_place(tables: Row, state: Row, player: int) -> bool:
    """Return whether the player can place one ring."""
    if int(state[HAND + player]) == 0:
        return False
    for cell in range(int(tables[CELLS])):
        here = content(state, cell)
        if here == EMPTY:
            if can_act(tables, state, cell, 1, 1):
                return True
        elif here >= STACK and stack_takes_ring(tables, state, cell, player):
            return True
    return False


@func
def placement_moves(tables: Row, state: Row, player: int, out: Longs) -> int:
    """Write the moves of phase P."""
    count = Int(0)
    if int(state[HAND + player]) > 0:
        count = place_moves(tables, state, player, out)
        if may_recover(state, player) or any_stack_can_act(tables, state, player):
            count = emit(out, count, pack(Kind.SP, 0, 0, 0))
    if count == 0:
        count = emit(out, count, pack(Kind.NP, 0, 0, 0))
    if player == 2 and int(state[SWAP]) == 1:
        count = emit(out, count, pack(Kind.SW, 0, 0, 0))
    return count


@func
def place(tables: Row, state: Row, cell: int, rings: int, player: int) -> None:
    """Put rings from the hand on a cell."""
    for _ in range(rings):
        place_ring(tables, state, cell, player)
