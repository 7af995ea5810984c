"""Claims of regions: the moves of phase T, and the effects of a claim (RULES.md section G)."""

from __future__ import annotations

from engine.backend.dialect import Int, Ints, Longs, Row, func
from engine.moves import Kind, pack
from engine.rules.lines import elimination_moves
from engine.rules.markers import collapse
from engine.rules.masks import around, beside, bit_count, first_cell, has_cell
from engine.rules.output import emit
from engine.rules.regions import FOUND, FREE, MARKED, find_region, may_hold_region, next_region, survey
from engine.rules.stacks import eliminate_top, has_buried, height
from engine.rules.state import OWED, RECOVERED, STACK, content
from engine.rules.tables import CELLS, PLAYERS, SIDE, SPREADS


@func
def found_size(tables: Row, scratch: Ints) -> int:
    """Return the number of cells of FOUND."""
    side = int(tables[SIDE])
    size = Int(0)
    for row in range(side):
        size += bit_count(int(scratch[FOUND * side + row]))
    return size


@func
def region_moves(tables: Row, state: Row, scratch: Ints, player: int, out: Longs) -> int:
    """Write a claim for every region the player may claim."""
    count = Int(0)
    if not may_hold_region(tables, state, player) or not survey(tables, state, scratch, player):
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
    """Write the eliminations that pay for the region just claimed, in which no stack is left."""
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
def any_marker(tables: Row, scratch: Ints, row: int) -> int:
    """Return the markers of a row, of all players."""
    side = int(tables[SIDE])
    marked = Int(0)
    for seat in range(1, int(tables[PLAYERS]) + 1):
        marked |= int(scratch[(MARKED + seat) * side + row])
    return marked


@func
def spread_border(tables: Row, scratch: Ints) -> bool:
    """Extend the border in FREE to the markers around it; return whether it grew."""
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
        while spread_border(tables, scratch):
            pass


@func(inline=False)
def claim(tables: Row, state: Row, scratch: Ints, first: int, colour: int, player: int) -> None:
    """Claim a region: eliminate its rings, collapse its cells and border markers."""
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
