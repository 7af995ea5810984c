"""Sets of cells as bits: one number for each row of the board's square, bit y of row x for the cell (x, y).

A set takes `tables[SIDE]` numbers of scratch memory. Floods and neighbourhoods work on whole rows, which is
several times faster than going from cell to cell. The widest board has 25 columns, and nothing here shifts or
adds beyond the bit after the last column, so int32 is wide enough.
"""

from __future__ import annotations

from engine.backend.dialect import Int, Ints, Row, func
from engine.rules.tables import ROW_CELL, ROW_LOW, SIDE, SLANT, XS, YS


@func
def bit_count(bits: int) -> int:
    """Return the number of bits set in a number below 2^31."""
    pairs = bits - ((bits >> 1) & 0x55555555)
    fours = (pairs & 0x33333333) + ((pairs >> 2) & 0x33333333)
    eights = (fours + (fours >> 4)) & 0x0F0F0F0F
    halves = eights + (eights >> 8)
    return (halves + (halves >> 16)) & 63


@func
def first_cell(tables: Row, row: int, bits: int) -> int:
    """Return the first of the cells of a row whose bits are set (at least one is)."""
    place = bit_count((bits & -bits) - 1) - int(tables[int(tables[ROW_LOW]) + row])
    return int(tables[int(tables[ROW_CELL]) + row]) + place


@func
def has_cell(tables: Row, scratch: Ints, rows: int, cell: int) -> bool:
    """Return whether a cell is in the set that begins at `rows`."""
    row = int(tables[int(tables[XS]) + cell])
    return (int(scratch[rows + row]) >> int(tables[int(tables[YS]) + cell])) & 1 == 1


@func
def upwards(tables: Row, bits: int) -> int:
    """Return the neighbours that cells of a row have in the next row."""
    return bits | (bits >> int(tables[SLANT]))


@func
def downwards(tables: Row, bits: int) -> int:
    """Return the neighbours that cells of a row have in the row before."""
    return bits | (bits << int(tables[SLANT]))


@func
def smear(bits: int, free: int, side: int) -> int:
    """Return all runs of free cells of a row that hold one of the given free cells."""
    # The sum carries from each given bit through the free bits above it; what it changes is reached.
    grown = bits | (free & (free ^ (free + bits)))
    shift = Int(1)
    passable = Int(free)
    while shift < side:
        grown |= passable & (grown >> shift)
        passable &= passable >> shift
        shift *= 2
    return grown


@func
def grow(scratch: Ints, free: int, rows: int, row: int, reached: int, side: int) -> bool:
    """Add the free cells among those reached to a row of a set, with their runs; return whether any was new."""
    known = int(scratch[rows + row])
    new = reached & int(scratch[free + row]) & ~known
    if new == 0:
        return False
    scratch[rows + row] = smear(known | new, int(scratch[free + row]), side)
    return True


@func
def flood(tables: Row, scratch: Ints, free: int, rows: int, first: int, seed: int) -> int:
    """Write the component of the set at `free` that holds the cells `seed` of row `first` into the set at `rows`.

    The component must not reach into rows before `first`. Return its last row.
    """
    side = int(tables[SIDE])
    for row in range(side):
        scratch[rows + row] = 0
    grow(scratch, free, rows, first, seed, side)
    last = Int(first)
    growing = Int(1)
    while growing == 1:
        growing = Int(0)
        row = Int(first)
        while row <= last and row + 1 < side:
            reached = upwards(tables, int(scratch[rows + row]))
            row += 1
            if grow(scratch, free, rows, row, reached, side):
                last = max(last, row)
        row = Int(last)
        while row > first:
            reached = downwards(tables, int(scratch[rows + row]))
            row -= 1
            if grow(scratch, free, rows, row, reached, side):
                growing = Int(1)
    return last


@func
def beside(tables: Row, scratch: Ints, rows: int, row: int) -> int:
    """Return the cells of a row that lie next to a cell of the set at `rows` or belong to it."""
    own = int(scratch[rows + row])
    near = own | (own << 1) | (own >> 1)
    if row > 0:
        near |= upwards(tables, int(scratch[rows + row - 1]))
    if row + 1 < int(tables[SIDE]):
        near |= downwards(tables, int(scratch[rows + row + 1]))
    return near


@func
def around(tables: Row, scratch: Ints, rows: int, row: int) -> int:
    """Return the cells of a row within one step in x, y or both of a cell of the set at `rows`."""
    own = int(scratch[rows + row])
    if row > 0:
        own |= int(scratch[rows + row - 1])
    if row + 1 < int(tables[SIDE]):
        own |= int(scratch[rows + row + 1])
    return own | (own << 1) | (own >> 1)
