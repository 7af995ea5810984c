"""The features of a position: planes over the board's square, and scalars, from the mover's point of view.

Seat 0 is the player to move, seat 1 the next, and so on; seats beyond the number of players are zero. A game that is
over is described from player 1's point of view. The planes, float32[PLANES, side, side], zero off the board:

    seat * 6 + 0    1 where the seat controls a stack
    seat * 6 + 1    height of those stacks / 8
    seat * 6 + 2    cap of those stacks / 8
    seat * 6 + 3    the seat's rings below the cap of any stack / 8
    seat * 6 + 4    1 on the seat's markers
    seat * 6 + 5    1 on the seat's collapsed cells
    24              1 on the board
    25              1 on the stack that must act, may capture, or must capture on
    26 .. 32        1 on the whole board in phases P M C H L T F
    33              1 on the whole board while an elimination is owed
    34              1 on the whole board after a recovery slide in this turn

The scalars, float32[SCALARS]:

    seat * 8 + 0    1 if the seat plays
    seat * 8 + 1    rings in hand / supply
    seat * 8 + 2    own rings on the board / supply
    seat * 8 + 3    eliminated rings credited / threshold
    seat * 8 + 4    territory / territory minimum
    seat * 8 + 5    markers / 16
    seat * 8 + 6    exclusive rounds in a row / 3
    seat * 8 + 7    1 if the seat could really act in this round
    32              1 if sides may be swapped
    33              1 if this turn has held an action
    34              1 if lines are three long, not four
    35              1 if borders spread when they collapse
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from engine.backend.dialect import Float, Floats, Int, Ints, Row, func
from engine.boards import board
from engine.rules.stacks import height, ring_below, ring_owner
from engine.rules.state import (
    ACTED,
    ACTIVE,
    BLOCKED,
    ELIMINATED,
    HAND,
    MARKERS,
    MASK,
    ONBOARD,
    OWED,
    PHASE,
    PLAYER,
    RECOVERED,
    STACK,
    STREAK,
    STREAK_OWNER,
    SWAP,
    TERRITORY,
    cap,
    content,
    owner,
)
from engine.rules.tables import CELLS, LINE, MINIMUM, PLAYERS, RINGS, SPREADS, THRESHOLD, TOP

SEATS = 4
PLANES = 35
SCALARS = 36

_ON_BOARD = 24
_ACTIVE = 25
_PHASES = 26
_OWED = 33
_RECOVERED = 34


@dataclass(frozen=True)
class Frame:
    """The square around a board: `grid` int32[cells] is y * side + x of each cell; `mask` float32[side, side]."""

    side: int
    grid: NDArray[np.int32]
    mask: NDArray[np.float32]


@cache
def frame(board_name: str) -> Frame:
    """Return the frame of a board (arrays are read-only)."""
    shape = board(board_name)
    grid = np.array([(y - shape.low) * shape.side + x - shape.low for x, y in shape.cells], np.int32)
    mask = np.zeros(shape.side * shape.side, np.float32)
    mask[grid] = 1
    grid.flags.writeable = mask.flags.writeable = False
    return Frame(shape.side, grid, mask.reshape(shape.side, shape.side))


@func
def seat_of(player: int, mover: int, players: int) -> int:
    """Return the seat of a player, counted from the mover."""
    return (player - mover + players) % players


@func
def point_of_view(state: Row) -> int:
    """Return the player from whose point of view the position is described."""
    return max(int(state[PLAYER]), 1)


@func
def write_stack(tables: Row, state: Row, cell: int, mover: int, area: int, at: int, planes: Floats) -> None:
    """Write the share of a stack, at position `at` of planes of `area` numbers each."""
    players = int(tables[PLAYERS])
    here = content(state, cell)
    tall = height(tables, state, cell)
    eighth = Float(0.125)
    base = seat_of(owner(here), mover, players) * 6 * area + at
    planes[base] = Float(1.0)
    planes[base + area] = Float(tall) * eighth
    planes[base + 2 * area] = Float(cap(here)) * eighth
    ring = Int(int(state[int(tables[TOP]) + cell]))
    for depth in range(1, tall):
        ring = ring_below(tables, state, ring)
        if depth >= cap(here):
            plane = seat_of(ring_owner(tables, ring), mover, players) * 6 + 3
            planes[plane * area + at] = planes[plane * area + at] + eighth


@func
def write_planes(tables: Row, state: Row, grid: Ints, area: int, planes: Floats) -> None:
    """Write all planes of a position, each of `area` numbers, over zeros."""
    players = int(tables[PLAYERS])
    mover = point_of_view(state)
    active = int(state[ACTIVE])
    phase = int(state[PHASE])
    for cell in range(int(tables[CELLS])):
        at = int(grid[cell])
        here = content(state, cell)
        planes[_ON_BOARD * area + at] = Float(1.0)
        if phase < 7:
            planes[(_PHASES + phase) * area + at] = Float(1.0)
        planes[_OWED * area + at] = Float(int(state[OWED]))
        planes[_RECOVERED * area + at] = Float(int(state[RECOVERED]))
        if cell == active:
            planes[_ACTIVE * area + at] = Float(1.0)
        if here >= STACK:
            write_stack(tables, state, cell, mover, area, at, planes)
        elif owner(here) > 0:
            seat = seat_of(owner(here), mover, players)
            plane = Int(seat * 6 + 4)
            if here >= BLOCKED:
                plane = Int(seat * 6 + 5)
            planes[plane * area + at] = Float(1.0)


@func
def share(part: int, whole: int) -> Float:
    return Float(part) / Float(whole)


@func
def write_globals(tables: Row, state: Row, scalars: Floats) -> None:
    """Write the scalars of a position, over zeros."""
    players = int(tables[PLAYERS])
    mover = point_of_view(state)
    for seat in range(players):
        player = (mover - 1 + seat) % players + 1
        base = seat * 8
        scalars[base] = Float(1.0)
        scalars[base + 1] = share(int(state[HAND + player]), int(tables[RINGS]))
        scalars[base + 2] = share(int(state[ONBOARD + player]), int(tables[RINGS]))
        scalars[base + 3] = share(int(state[ELIMINATED + player]), int(tables[THRESHOLD]))
        scalars[base + 4] = share(int(state[TERRITORY + player]), int(tables[MINIMUM]))
        scalars[base + 5] = share(int(state[MARKERS + player]), 16)
        if int(state[STREAK_OWNER]) == player:
            scalars[base + 6] = share(int(state[STREAK]), 3)
        scalars[base + 7] = Float((int(state[MASK]) >> player) & 1)
    scalars[32] = Float(int(state[SWAP]))
    scalars[33] = Float(int(state[ACTED]))
    if int(tables[LINE]) == 3:
        scalars[34] = Float(1.0)
    if int(tables[SPREADS]) > 0:
        scalars[35] = Float(1.0)
