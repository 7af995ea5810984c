"""Regions: which can be claimed, and what claiming one does (RULES.md section G)."""

from __future__ import annotations

from engine.backend import Int, Ints, Longs, Row, func
from engine.moves import Kind, pack
from engine.rules.lines import elimination_moves
from engine.rules.markers import collapse
from engine.rules.masks import around, beside, bit_count, first_cell, flood, has_cell
from engine.rules.output import emit
from engine.rules.stacks import eliminate_top, has_buried, height
from engine.rules.state import (
    BLOCKED,
    BOARD,
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
from engine.rules.tables import CELLS, PLAYERS, ROW_CELL, ROW_LOW, SIDE, SPREADS, XS, YS

# The sets of cells in scratch memory (`engine.rules.masks`), by number.
OPEN = 0  # not collapsed
MARKED = 0  # MARKED + player: that player's markers
HELD = 4  # HELD + player: stacks that the player controls
PAYERS = 9  # stacks with which the player to act could pay for a region
FREE = 10  # what the flood has still to visit
FOUND = 11  # the component just found
SETS = 12


@func(inline=False)
def survey(tables: Row, state: Row, scratch: Ints, player: int) -> bool:
    """Write the sets OPEN to PAYERS, and say whether there is any payer."""
    side = int(tables[SIDE])
    for place in range(FREE * side):
        scratch[place] = 0
    recovered = int(state[RECOVERED]) == 1
    any_payer = Int(0)
    for row in range(side):
        low = int(tables[int(tables[ROW_LOW]) + row])
        cell = Int(int(tables[int(tables[ROW_CELL]) + row]))
        end = int(tables[int(tables[ROW_CELL]) + row + 1])
        bit = Int(1 << low)
        opened = Int(0)
        while cell < end:
            here = int(state[BOARD + cell])
            if here < BLOCKED or here >= STACK:
                opened |= bit
                if here >= STACK:
                    place = (HELD + owner(here)) * side + row
                    scratch[place] = int(scratch[place]) | bit
                    if recovered and has_buried(tables, state, cell, player):
                        scratch[PAYERS * side + row] = int(scratch[PAYERS * side + row]) | bit
                        any_payer = Int(1)
                elif here != EMPTY:
                    place = (MARKED + here) * side + row
                    scratch[place] = int(scratch[place]) | bit
            cell += 1
            bit <<= 1
        scratch[OPEN * side + row] = opened
    if recovered:
        return any_payer == 1
    for row in range(side):
        scratch[PAYERS * side + row] = scratch[(HELD + player) * side + row]
    return int(state[STACKS + player]) > 0


@func
def free_cells(tables: Row, scratch: Ints, colour: int) -> None:
    """Write into FREE what a flood may visit that markers of `colour` stop (0: no marker does)."""
    side = int(tables[SIDE])
    for row in range(side):
        free = int(scratch[OPEN * side + row])
        if colour > 0:
            free &= ~int(scratch[(MARKED + colour) * side + row])
        scratch[FREE * side + row] = free


@func
def can_pay(tables: Row, scratch: Ints) -> bool:
    """Whether a payer stands outside FOUND."""
    side = int(tables[SIDE])
    for row in range(side):
        if int(scratch[PAYERS * side + row]) & ~int(scratch[FOUND * side + row]) != 0:
            return True
    return False


@func
def holds(tables: Row, scratch: Ints, player: int, first: int, last: int) -> bool:
    """Whether the player controls a stack in FOUND, which lies in the rows `first` to `last`."""
    side = int(tables[SIDE])
    for row in range(first, last + 1):
        if int(scratch[(HELD + player) * side + row]) & int(scratch[FOUND * side + row]) != 0:
            return True
    return False


@func
def is_claimable(tables: Row, state: Row, scratch: Ints, colour: int, first: int, last: int) -> bool:
    """Whether FOUND, a component for `colour`, is a region that may be claimed."""
    if not can_pay(tables, scratch):
        return False
    present = Int(0)
    controllers = Int(0)
    for seat in range(1, int(tables[PLAYERS]) + 1):
        if int(state[ONBOARD + seat]) > 0:
            present += 1
        if int(state[STACKS + seat]) > 0 and holds(tables, scratch, seat, first, last):
            controllers += 1
    if colour == 0:
        return controllers == 1 and present >= 2
    return controllers < present


@func
def is_bounded_by(tables: Row, scratch: Ints, colour: int, first: int, last: int) -> bool:
    """Whether FOUND is a component for `colour` too."""
    side = int(tables[SIDE])
    for row in range(max(first - 1, 0), min(last + 2, side)):
        inside = int(scratch[FOUND * side + row])
        stops = int(scratch[(MARKED + colour) * side + row])
        border = beside(tables, scratch, FOUND * side, row) & ~inside
        if inside & stops != 0 or border & int(scratch[OPEN * side + row]) & ~stops != 0:
            return False
    return True


@func
def is_known(tables: Row, state: Row, scratch: Ints, turn: int, first: int, last: int) -> bool:
    """Whether FOUND has been met before, for one of the first `turn` colours."""
    for colour in range(1, turn + 1):
        if int(state[MARKERS + colour]) > 0 and is_bounded_by(tables, scratch, colour, first, last):
            return True
    return False


@func(inline=False)
def next_region(tables: Row, state: Row, scratch: Ints, begun: int, row: int) -> tuple[int, int]:
    """Look for the next region that may be claimed, after `survey`, and leave it in FOUND.

    The colours take their turns in the order 1 .. players, none.

    Args:
        begun: which turn is on; row: the row from which on to look, -1 to begin the turn. To go on, these
            are what the last call returned.

    Returns:
        The turn and the first row of the region; a turn beyond the number of players if there is none.
    """
    side = int(tables[SIDE])
    players = int(tables[PLAYERS])
    at = Int(row)
    turn = Int(begun)
    while turn <= players:
        colour = (turn + 1) % (players + 1)
        if at < 0 and (colour == 0 or int(state[MARKERS + colour]) > 0):
            free_cells(tables, scratch, colour)
            at = Int(0)
        while at >= 0 and at < side:
            free = int(scratch[FREE * side + at])
            if free == 0:
                at += 1
            else:
                last = flood(tables, scratch, FREE * side, FOUND * side, at, free & -free)
                for each in range(at, last + 1):
                    left = int(scratch[FREE * side + each]) & ~int(scratch[FOUND * side + each])
                    scratch[FREE * side + each] = left
                if is_claimable(tables, state, scratch, colour, at, last) and not is_known(
                    tables, state, scratch, turn, at, last
                ):
                    return turn, at
        turn += 1
        at = Int(-1)
    return turn, at


@func(inline=False)
def any_region(tables: Row, state: Row, scratch: Ints, player: int) -> bool:
    """Whether the player may claim a region."""
    if not survey(tables, state, scratch, player):
        return False
    turn, _ = next_region(tables, state, scratch, 0, -1)
    return turn <= int(tables[PLAYERS])


@func
def found_size(tables: Row, scratch: Ints) -> int:
    """How many cells FOUND has."""
    side = int(tables[SIDE])
    size = Int(0)
    for row in range(side):
        size += bit_count(int(scratch[FOUND * side + row]))
    return size


@func
def region_moves(tables: Row, state: Row, scratch: Ints, player: int, out: Longs) -> int:
    """Write a claim for every region the player may claim."""
    count = Int(0)
    if not survey(tables, state, scratch, player):
        return count
    players = int(tables[PLAYERS])
    found = FOUND * int(tables[SIDE])
    turn, row = next_region(tables, state, scratch, 0, -1)
    while turn <= players:
        cell = first_cell(tables, row, int(scratch[found + row]))
        colour = (turn + 1) % (players + 1)
        count = emit(out, count, pack(Kind.TR, cell, colour, found_size(tables, scratch)))
        turn, row = next_region(tables, state, scratch, turn, row)
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
def territory_phase_moves(tables: Row, state: Row, scratch: Ints, player: int, out: Longs) -> int:
    """Write the moves of phase T."""
    if int(state[OWED]) == 1:
        return payment_moves(tables, state, player, out)
    count = region_moves(tables, state, scratch, player, out)
    if count == 0:
        return emit(out, count, pack(Kind.NT, 0, 0, 0))
    return emit(out, count, pack(Kind.ST, 0, 0, 0))


@func
def find_region(tables: Row, state: Row, scratch: Ints, cell: int, colour: int) -> None:
    """Leave the component for `colour` whose first cell this is in FOUND, after `survey`."""
    side = int(tables[SIDE])
    free_cells(tables, scratch, colour)
    row = int(tables[int(tables[XS]) + cell])
    seed = 1 << int(tables[int(tables[YS]) + cell])
    flood(tables, scratch, FREE * side, FOUND * side, row, seed)


@func
def any_marker(tables: Row, scratch: Ints, row: int) -> int:
    """The markers of a row, of all players."""
    side = int(tables[SIDE])
    marked = Int(0)
    for seat in range(1, int(tables[PLAYERS]) + 1):
        marked |= int(scratch[(MARKED + seat) * side + row])
    return marked


@func
def spread_border(tables: Row, scratch: Ints) -> bool:
    """Carry the border in FREE on to markers around it; say whether it grew."""
    side = int(tables[SIDE])
    grown = Int(0)
    for row in range(side):
        border = int(scratch[FREE * side + row])
        reached = around(tables, scratch, FREE * side, row) & any_marker(tables, scratch, row)
        wider = border | (reached & ~int(scratch[FOUND * side + row]))
        if wider != border:
            scratch[FREE * side + row] = wider
            grown = Int(1)
    return grown == 1


@func
def find_border(tables: Row, scratch: Ints) -> None:
    """Write the border markers of FOUND into FREE."""
    side = int(tables[SIDE])
    for row in range(side):
        next_to = beside(tables, scratch, FOUND * side, row) & ~int(scratch[FOUND * side + row])
        scratch[FREE * side + row] = next_to & any_marker(tables, scratch, row)
    if int(tables[SPREADS]) == 1:
        growing = Int(1)
        while growing == 1:
            growing = Int(0)
            if spread_border(tables, scratch):
                growing = Int(1)


@func(inline=False)
def claim(tables: Row, state: Row, scratch: Ints, first: int, colour: int, player: int) -> None:
    """Claim a region: its rings are eliminated, its cells and border markers collapse."""
    side = int(tables[SIDE])
    survey(tables, state, scratch, player)
    find_region(tables, state, scratch, first, colour)
    find_border(tables, scratch)
    for cell in range(int(tables[CELLS])):
        inside = has_cell(tables, scratch, FOUND * side, cell)
        if inside and content(state, cell) >= STACK:
            eliminate_top(tables, state, cell, height(tables, state, cell), player)
        if inside or has_cell(tables, scratch, FREE * side, cell):
            collapse(state, cell, player)
