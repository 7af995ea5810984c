"""Regions: which can be claimed, and what claiming one does (RULES.md section G).

Scratch memory: for each colour, in the order 1 .. players and then none, a label and a size per cell, then a
queue. A label is 1 + the first cell of the component; sizes are valid at first cells only. A component that
was just filled is in the queue.
"""

from __future__ import annotations

from engine.backend import Int, Longs, Row, Short, func
from engine.moves import Kind, pack
from engine.rules.lines import elimination_moves
from engine.rules.markers import collapse, is_marker
from engine.rules.output import emit
from engine.rules.stacks import eliminate_top, has_buried, height
from engine.rules.state import (
    BLOCKED,
    EMPTY,
    MARKERS,
    ONBOARD,
    OWED,
    RECOVERED,
    STACK,
    STACKS,
    content,
    owner,
)
from engine.rules.tables import ADJACENT, BORDER, CELLS, NEAR, PLAYERS, SPREAD


@func
def is_inside(value: int, colour: int) -> bool:
    """Whether a flood that markers of `colour` stop (0: no marker does) takes in a cell with that content."""
    if value >= STACK:
        return True
    return value < BLOCKED and (value == EMPTY or value != colour)


@func
def queue_start(tables: Row) -> int:
    """Where in scratch memory the queue begins."""
    return 2 * (int(tables[PLAYERS]) + 1) * int(tables[CELLS])


@func
def fill(tables: Row, state: Row, scratch: Row, labels: int, colour: int, first: int) -> int:
    """Flood from a cell that is not labelled yet; label and queue the component, and return its size."""
    queue = queue_start(tables)
    near = int(tables[NEAR])
    neighbours = int(tables[ADJACENT])
    label = first + 1
    scratch[labels + first] = Short(label)
    scratch[queue] = Short(first)
    size = Int(1)
    done = Int(0)
    while done < size:
        around = near + int(scratch[queue + done]) * 8
        done += 1
        for step in range(neighbours):
            cell = int(tables[around + step])
            if is_inside(content(state, cell), colour) and int(scratch[labels + cell]) == 0:
                scratch[labels + cell] = Short(label)
                scratch[queue + size] = Short(cell)
                size += 1
    return size


@func
def players_on_board(tables: Row, state: Row) -> int:
    """How many players have a ring on the board, buried ones too."""
    count = Int(0)
    for seat in range(int(tables[PLAYERS])):
        if int(state[ONBOARD + seat + 1]) > 0:
            count += 1
    return count


@func
def pays_for_region(tables: Row, state: Row, cell: int, player: int) -> bool:
    """Whether the player could pay for a region with the stack on a cell that holds one."""
    if int(state[RECOVERED]) == 1:
        return has_buried(tables, state, cell, player)
    return owner(content(state, cell)) == player


@func
def payers(tables: Row, state: Row, player: int) -> int:
    """How many stacks on the whole board the player could pay for a region with."""
    if int(state[RECOVERED]) == 0:
        return int(state[STACKS + player])
    count = Int(0)
    for cell in range(int(tables[CELLS])):
        if content(state, cell) >= STACK and has_buried(tables, state, cell, player):
            count += 1
    return count


@func
def is_claimable(
    tables: Row, state: Row, scratch: Row, colour: int, size: int, player: int, all_payers: int
) -> bool:
    """Whether the component in the queue is one that the player may claim."""
    queue = queue_start(tables)
    controllers = Int(0)
    seen = Int(0)
    inside = Int(0)
    for place in range(size):
        cell = int(scratch[queue + place])
        here = content(state, cell)
        if here >= STACK:
            bit = 1 << owner(here)
            if seen & bit == 0:
                seen |= bit
                controllers += 1
            if pays_for_region(tables, state, cell, player):
                inside += 1
    if inside >= all_payers:
        return False
    present = players_on_board(tables, state)
    if colour == 0:
        return controllers == 1 and present >= 2
    return controllers < present


@func
def is_known(tables: Row, state: Row, scratch: Row, turn: int, first: int, size: int) -> bool:
    """Whether the component in the queue was found before, for an earlier colour."""
    cells = int(tables[CELLS])
    queue = queue_start(tables)
    sizes = (int(tables[PLAYERS]) + 1) * cells
    for earlier in range(turn):
        labels = earlier * cells
        if (
            int(state[MARKERS + earlier + 1]) > 0
            and int(scratch[labels + first]) == first + 1
            and int(scratch[sizes + labels + first]) == size
        ):
            same = Int(0)
            while same < size and int(scratch[labels + int(scratch[queue + same])]) == first + 1:
                same += 1
            if same == size:
                return True
    return False


@func
def next_region(tables: Row, state: Row, scratch: Row, player: int, after: int, all_payers: int) -> int:
    """Look for the next claimable region.

    Args:
        after: what the last call returned, or -1 to begin.

    Returns:
        `turn * cells + first cell`, where turn counts the colours 1 .. players and then none; -1: no more.
    """
    cells = int(tables[CELLS])
    players = int(tables[PLAYERS])
    sizes = (players + 1) * cells
    at = after + 1
    cell = Int(at % cells)
    for turn in range(at // cells, players + 1):
        colour = (turn + 1) % (players + 1)
        labels = turn * cells
        if colour == 0 or int(state[MARKERS + colour]) > 0:
            if cell == 0:
                for place in range(cells):
                    scratch[labels + place] = Short(0)
            while cell < cells:
                if is_inside(content(state, cell), colour) and int(scratch[labels + cell]) == 0:
                    size = fill(tables, state, scratch, labels, colour, cell)
                    scratch[sizes + labels + cell] = Short(size)
                    if is_claimable(
                        tables, state, scratch, colour, size, player, all_payers
                    ) and not is_known(tables, state, scratch, turn, cell, size):
                        return labels + cell
                cell += 1
        cell = Int(0)
    return -1


@func
def any_region(tables: Row, state: Row, scratch: Row, player: int) -> bool:
    """Whether the player may claim a region."""
    all_payers = payers(tables, state, player)
    if all_payers == 0:
        return False
    return next_region(tables, state, scratch, player, -1, all_payers) >= 0


@func
def region_moves(tables: Row, state: Row, scratch: Row, player: int, out: Longs) -> int:
    """Write a claim for every region the player may claim."""
    count = Int(0)
    all_payers = payers(tables, state, player)
    if all_payers == 0:
        return count
    cells = int(tables[CELLS])
    players = int(tables[PLAYERS])
    sizes = (players + 1) * cells
    at = next_region(tables, state, scratch, player, -1, all_payers)
    while at >= 0:
        colour = (at // cells + 1) % (players + 1)
        size = int(scratch[sizes + at])
        count = emit(out, count, pack(Kind.TR, at % cells, colour, size))
        at = next_region(tables, state, scratch, player, at, all_payers)
    return count


@func
def payment_moves(tables: Row, state: Row, player: int, out: Longs) -> int:
    """Write the eliminations that pay for the region just claimed; no stack is left inside it."""
    if int(state[RECOVERED]) == 0:
        return elimination_moves(tables, state, player, Kind.ET, out)
    count = Int(0)
    for cell in range(int(tables[CELLS])):
        if content(state, cell) >= STACK and has_buried(tables, state, cell, player):
            count = emit(out, count, pack(Kind.ER, cell, 0, 0))
    return count


@func
def territory_phase_moves(tables: Row, state: Row, scratch: Row, player: int, out: Longs) -> int:
    """Write the moves of phase T."""
    if int(state[OWED]) == 1:
        return payment_moves(tables, state, player, out)
    count = region_moves(tables, state, scratch, player, out)
    if count == 0:
        return emit(out, count, pack(Kind.NT, 0, 0, 0))
    return emit(out, count, pack(Kind.ST, 0, 0, 0))


@func
def add_border(tables: Row, state: Row, scratch: Row, size: int) -> int:
    """Queue the border markers of the component in the queue, and return the queue's new length."""
    queue = queue_start(tables)
    length = Int(size)
    done = Int(0)
    while done < length:
        cell = int(scratch[queue + done])
        around = int(tables[NEAR]) + cell * 8
        steps = int(tables[ADJACENT])
        if done >= size:
            around = int(tables[BORDER]) + cell * 8
            steps = int(tables[SPREAD])
        done += 1
        for step in range(steps):
            beside = int(tables[around + step])
            if is_marker(content(state, beside)) and int(scratch[beside]) == 0:
                scratch[beside] = Short(1)
                scratch[queue + length] = Short(beside)
                length += 1
    return length


@func
def claim(tables: Row, state: Row, scratch: Row, first: int, colour: int, player: int) -> None:
    """Claim a region: its rings are eliminated, its cells and border markers collapse."""
    for cell in range(int(tables[CELLS])):
        scratch[cell] = Short(0)
    queue = queue_start(tables)
    size = fill(tables, state, scratch, 0, colour, first)
    length = add_border(tables, state, scratch, size)
    for place in range(length):
        cell = int(scratch[queue + place])
        if content(state, cell) >= STACK:
            eliminate_top(tables, state, cell, height(tables, state, cell), player)
        collapse(state, cell, player)
