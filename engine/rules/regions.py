"""The search for the regions of the board that a player may claim (RULES.md section G)."""

from __future__ import annotations

from engine.backend.dialect import Int, Ints, Row, func
from engine.rules.masks import beside, flood
from engine.rules.stacks import has_buried
from engine.rules.state import (
    BOARD,
    MARKERS,
    ONBOARD,
    RECOVERED,
    STACK,
    STACKS,
    TERRITORY,
)
from engine.rules.tables import PLAYERS, ROW_CELL, ROW_LOW, SIDE, SLANT, XS, YS

# The sets of cells in scratch memory (`engine.rules.masks`), by number.
OPEN = 0  # not collapsed
MARKED = 0  # MARKED + player: that player's markers
HELD = 4  # HELD + player: stacks that the player controls
PAYERS = 9  # stacks with which the player to act could pay for a region
FREE = 10  # the cells that the flood has not visited yet
FOUND = 11  # the component just found
SETS = 12


@func
def survey_row(tables: Row, state: Row, scratch: Ints, row: int) -> None:
    """Write one row of the sets OPEN, MARKED and HELD, from the bits of the cells' contents."""
    ones = Int(0)
    twos = Int(0)
    fours = Int(0)
    closed = Int(0)
    stacked = Int(0)
    low = int(tables[int(tables[ROW_LOW]) + row])
    at = Int(low)
    first = int(tables[int(tables[ROW_CELL]) + row])
    for cell in range(first, int(tables[int(tables[ROW_CELL]) + row + 1])):
        here = int(state[BOARD + cell])
        ones |= (here & 1) << at
        twos |= ((here >> 1) & 1) << at
        fours |= ((here >> 2) & 1) << at
        closed |= ((here >> 3) & 1) << at
        stacked |= min(here >> 4, 1) << at
        at += 1
    side = int(tables[SIDE])
    scratch[OPEN * side + row] = ((1 << at) - (1 << low)) & ~closed
    flat = ~(closed | stacked)
    write_seat(scratch, side, row, 1, ones & ~twos, flat, stacked)
    write_seat(scratch, side, row, 2, twos & ~ones, flat, stacked)
    write_seat(scratch, side, row, 3, ones & twos, flat, stacked)
    write_seat(scratch, side, row, 4, fours, flat, stacked)


@func
def write_seat(scratch: Ints, side: int, row: int, seat: int, own: int, flat: int, stacked: int) -> None:
    """Write one row of the sets of a player, who owns the contents of the cells `own`."""
    scratch[(MARKED + seat) * side + row] = own & flat
    scratch[(HELD + seat) * side + row] = own & stacked


@func
def find_payers(tables: Row, state: Row, scratch: Ints, row: int, player: int) -> int:
    """Write a row of the set PAYERS, and return it."""
    side = int(tables[SIDE])
    payers = Int(0)
    if int(state[RECOVERED]) == 0:
        payers = int(scratch[(HELD + player) * side + row])
    else:
        bit = Int(1 << int(tables[int(tables[ROW_LOW]) + row]))
        first = int(tables[int(tables[ROW_CELL]) + row])
        for cell in range(first, int(tables[int(tables[ROW_CELL]) + row + 1])):
            if int(state[BOARD + cell]) >= STACK and has_buried(tables, state, cell, player):
                payers |= bit
            bit <<= 1
    scratch[PAYERS * side + row] = payers
    return payers


@func(inline=False)
def survey(tables: Row, state: Row, scratch: Ints, player: int) -> bool:
    """Write the sets OPEN to PAYERS, and return whether there is any payer."""
    payers = Int(0)
    for row in range(int(tables[SIDE])):
        survey_row(tables, state, scratch, row)
        payers |= find_payers(tables, state, scratch, row, player)
    return payers != 0


@func
def may_divide(tables: Row, state: Row, colour: int) -> bool:
    """Return whether collapsed cells and markers of `colour` (0: no markers) are enough to cut the board in two.

    A corner has two neighbours on a square board, three on a hex board, and fewer cells than these cut nothing off.
    If nothing is cut off, all stacks lie in one component and nobody could pay for it, so no flood is needed.
    """
    stops = Int(0)
    if colour > 0:
        stops = int(state[MARKERS + colour])
        if stops == 0:
            return False
    for seat in range(1, int(tables[PLAYERS]) + 1):
        stops += int(state[TERRITORY + seat])
    return stops >= 2 + int(tables[SLANT])


@func
def may_hold_region(tables: Row, state: Row, player: int) -> bool:
    """Return whether a survey could find a region for the player: the board may be divided, and the player can pay."""
    if int(state[STACKS + player]) == 0 and int(state[RECOVERED]) == 0:
        return False
    for colour in range(int(tables[PLAYERS]) + 1):
        if may_divide(tables, state, colour):
            return True
    return False


@func
def free_cells(tables: Row, scratch: Ints, colour: int) -> None:
    """Write into FREE the cells that a flood may visit if markers of `colour` stop it (0: no marker does)."""
    side = int(tables[SIDE])
    for row in range(side):
        free = int(scratch[OPEN * side + row])
        if colour > 0:
            free &= ~int(scratch[(MARKED + colour) * side + row])
        scratch[FREE * side + row] = free


@func
def can_pay(tables: Row, scratch: Ints) -> bool:
    """Return whether a payer stands outside FOUND."""
    side = int(tables[SIDE])
    for row in range(side):
        if int(scratch[PAYERS * side + row]) & ~int(scratch[FOUND * side + row]) != 0:
            return True
    return False


@func
def holds(tables: Row, scratch: Ints, player: int, first: int, last: int) -> bool:
    """Return whether the player controls a stack in FOUND, which lies in the rows `first` to `last`."""
    side = int(tables[SIDE])
    for row in range(first, last + 1):
        if int(scratch[(HELD + player) * side + row]) & int(scratch[FOUND * side + row]) != 0:
            return True
    return False


@func
def is_claimable(tables: Row, state: Row, scratch: Ints, colour: int, first: int, last: int) -> bool:
    """Return whether FOUND, a component for `colour`, is a region that may be claimed."""
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
    """Return whether FOUND is also a component for `colour`."""
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
    """Return whether FOUND was already found for one of the first `turn` colours."""
    for colour in range(1, turn + 1):
        if int(state[MARKERS + colour]) > 0 and is_bounded_by(tables, scratch, colour, first, last):
            return True
    return False


@func(inline=False)
def next_region(tables: Row, state: Row, scratch: Ints, begun: int, row: int) -> tuple[int, int]:
    """Find the next region that may be claimed, after `survey`, and leave it in FOUND.

    The colours take turns in the order 1 .. players, none.

    Args:
        begun: the current turn: 0 at first, then the one that the last call returned.
        row: the row to search from, or -1 to begin the turn: -1 at first, then the one that the last call returned.

    Returns:
        The turn and the first row of the region; a turn beyond the number of players if there is none.
    """
    side = int(tables[SIDE])
    players = int(tables[PLAYERS])
    at = Int(row)
    turn = Int(begun)
    while turn <= players:
        colour = (turn + 1) % (players + 1)
        if at < 0 and may_divide(tables, state, colour):
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
    """Return whether the player may claim a region."""
    if not may_hold_region(tables, state, player) or not survey(tables, state, scratch, player):
        return False
    turn, _ = next_region(tables, state, scratch, 0, -1)
    return turn <= int(tables[PLAYERS])


@func
def find_region(tables: Row, state: Row, scratch: Ints, cell: int, colour: int) -> None:
    """Leave in FOUND the component for `colour` whose first cell is `cell`, after `survey`."""
    side = int(tables[SIDE])
    free_cells(tables, scratch, colour)
    row = int(tables[int(tables[XS]) + cell])
    seed = 1 << int(tables[int(tables[YS]) + cell])
    flood(tables, scratch, FREE * side, FOUND * side, row, seed)
