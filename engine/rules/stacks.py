"""Stacks of rings: chains from the top ring down, with height and cap stored beside them."""

from __future__ import annotations

from engine.backend.dialect import Int, Row, Short, func
from engine.rules.state import (
    BOARD,
    ELIMINATED,
    EMPTY,
    HAND,
    ONBOARD,
    STACKS,
    add,
    cap,
    content,
    owner,
)
from engine.rules.tables import BELOW, BOTTOM, HEIGHT, RINGS, TOP


@func
def height(tables: Row, state: Row, cell: int) -> int:
    return int(state[int(tables[HEIGHT]) + cell])


@func
def ring_below(tables: Row, state: Row, ring: int) -> int:
    return int(state[int(tables[BELOW]) + ring])


@func
def ring_owner(tables: Row, ring: int) -> int:
    return ring // int(tables[RINGS]) + 1


@func
def set_stack(tables: Row, state: Row, cell: int, top: int, tall: int) -> None:
    """Write a stack whose chain is in order: its top, height, controller and cap (counted down the chain)."""
    player = ring_owner(tables, top)
    same = Int(1)
    ring = Int(top)
    while same < tall:
        ring = ring_below(tables, state, ring)
        if ring_owner(tables, ring) != player:
            break
        same += 1
    state[int(tables[TOP]) + cell] = Short(top)
    state[int(tables[HEIGHT]) + cell] = Short(tall)
    state[BOARD + cell] = Short(same * 16 + player)
    add(state, STACKS + player, 1)


@func
def lift(state: Row, cell: int) -> None:
    """Empty the cell of a stack and uncount the stack; its chain of rings stays, to be put down again."""
    add(state, STACKS + owner(content(state, cell)), -1)
    state[BOARD + cell] = Short(EMPTY)


@func
def place_ring(tables: Row, state: Row, cell: int, player: int) -> None:
    """Put a ring from the hand on top of a cell. Rings leave the hand in order and never come back to it."""
    hand = int(state[HAND + player])
    supply = int(tables[RINGS])
    ring = player * supply - hand
    tall = Int(0)
    if content(state, cell) == EMPTY:
        state[int(tables[BOTTOM]) + cell] = Short(ring)
    else:
        tall = height(tables, state, cell)
        state[int(tables[BELOW]) + ring] = state[int(tables[TOP]) + cell]
        lift(state, cell)
    state[HAND + player] = Short(hand - 1)
    add(state, ONBOARD + player, 1)
    set_stack(tables, state, cell, ring, tall + 1)


@func
def move_stack(tables: Row, state: Row, start: int, end: int) -> None:
    """Carry a stack to an empty cell."""
    tops = int(tables[TOP])
    bottoms = int(tables[BOTTOM])
    heights = int(tables[HEIGHT])
    state[BOARD + end] = state[BOARD + start]
    state[BOARD + start] = Short(EMPTY)
    state[tops + end] = state[tops + start]
    state[bottoms + end] = state[bottoms + start]
    state[heights + end] = state[heights + start]


@func
def take_top(tables: Row, state: Row, cell: int) -> int:
    """Take the top ring off a stack and return it; a stack of one leaves the cell empty."""
    tall = height(tables, state, cell)
    ring = int(state[int(tables[TOP]) + cell])
    lift(state, cell)
    if tall > 1:
        set_stack(tables, state, cell, ring_below(tables, state, ring), tall - 1)
    return ring


@func
def push_bottom(tables: Row, state: Row, cell: int, ring: int) -> None:
    """Put a ring under a stack."""
    tall = height(tables, state, cell)
    bottom = int(tables[BOTTOM]) + cell
    here = content(state, cell)
    if cap(here) == tall and owner(here) == ring_owner(tables, ring):
        state[BOARD + cell] = Short(here + 16)
    state[int(tables[BELOW]) + int(state[bottom])] = Short(ring)
    state[bottom] = Short(ring)
    state[int(tables[HEIGHT]) + cell] = Short(tall + 1)


@func
def eliminate(tables: Row, state: Row, ring: int, player: int) -> None:
    """Count a ring that left the board as eliminated, credited to `player`."""
    add(state, ONBOARD + ring_owner(tables, ring), -1)
    add(state, ELIMINATED + player, 1)


@func(inline=False)
def eliminate_top(tables: Row, state: Row, cell: int, count: int, player: int) -> None:
    """Eliminate the `count` top rings of a stack, credited to `player`."""
    tall = height(tables, state, cell)
    ring = Int(int(state[int(tables[TOP]) + cell]))
    lift(state, cell)
    for _ in range(count):
        eliminate(tables, state, ring, player)
        ring = ring_below(tables, state, ring)
    if tall > count:
        set_stack(tables, state, cell, ring, tall - count)


@func(inline=False)
def has_buried(tables: Row, state: Row, cell: int, player: int) -> bool:
    """Return whether the stack on a cell holds a ring of the player below its top."""
    ring = int(state[int(tables[TOP]) + cell])
    for _ in range(height(tables, state, cell) - 1):
        ring = ring_below(tables, state, ring)
        if ring_owner(tables, ring) == player:
            return True
    return False


@func(inline=False)
def eliminate_lowest(tables: Row, state: Row, cell: int, player: int) -> None:
    """Eliminate the lowest ring of the player in a stack that holds one, credited to the player."""
    tall = height(tables, state, cell)
    top = int(state[int(tables[TOP]) + cell])
    above = Int(-1)  # the ring above the lowest own one
    below = Int(-1)  # the ring below it
    lowest = Int(top)
    upper = Int(-1)
    ring = Int(top)
    for depth in range(tall):
        under = Int(-1)
        if depth < tall - 1:
            under = ring_below(tables, state, ring)
        if ring_owner(tables, ring) == player:
            lowest = ring
            above = upper
            below = under
        upper = ring
        ring = under
    eliminate(tables, state, lowest, player)
    lift(state, cell)
    if tall == 1:
        return
    if above < 0:
        top = below
    elif below < 0:
        state[int(tables[BOTTOM]) + cell] = Short(above)
    else:
        state[int(tables[BELOW]) + above] = Short(below)
    set_stack(tables, state, cell, top, tall - 1)
