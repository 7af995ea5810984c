"""The table row: everything that the rules look up about a configuration, as one int16 row."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from engine.backend.dialect import Row, func
from engine.boards import Board, board
from engine.config import Config
from engine.rules.state import BOARD

# Numbers at the head of the row.
CELLS = 0
DIRECTIONS = 1
AXES = 2
SIDE = 3  # rows of the square that holds the board, as many as its columns
SLANT = 4  # 1 on hex boards, where the neighbours of (x, y) in row x + 1 are at y and y - 1; else 0
SPREADS = 5  # 1 where the collapse of border markers spreads to others, 0 where it stays beside the region
PLAYERS = 6
RINGS = 7  # supply of each player
LINE = 8  # markers that make a line
THRESHOLD = 9  # eliminated rings that win
MINIMUM = 10  # territory that can win
WIDTH = 11  # length of a state row
HEIGHT = 12  # where in a state row the heights by cell begin ...
TOP = 13  # ... the top ring by cell ...
BOTTOM = 14  # ... the bottom ring by cell ...
BELOW = 15  # ... and the ring below each ring
ROW_CELL = 16  # where in this row the first cell of each row of the board begins (and the number of cells)
ROW_LOW = 17  # where in this row the y of that first cell begins
XS = 18  # where in this row the x of each cell begins (0 .. side - 1)
YS = 19  # where in this row the y of each cell begins
COMPASS = 20  # nine entries: the direction of (sign dx, sign dy), at (sign dx + 1) * 3 + sign dy + 1
STEP = 30  # eight entries a cell: the next cell in each direction, or CELLS beyond the edge


@func
def step(tables: Row, cell: int, direction: int) -> int:
    """Return the next cell in a direction; beyond the edge, the number of cells, where the board is blocked."""
    return int(tables[STEP + cell * 8 + direction])


@func
def opposite(tables: Row, direction: int) -> int:
    axes = int(tables[AXES])
    if direction < axes:
        return direction + axes
    return direction - axes


@func
def direction_between(tables: Row, start: int, end: int) -> int:
    """Return the direction in which `end` lies from `start`, two cells on one line."""
    xs = int(tables[XS])
    ys = int(tables[YS])
    dx = int(tables[xs + end]) - int(tables[xs + start])
    dy = int(tables[ys + end]) - int(tables[ys + start])
    sign_x = min(max(dx, -1), 1)
    sign_y = min(max(dy, -1), 1)
    return int(tables[COMPASS + (sign_x + 1) * 3 + sign_y + 1])


def _steps(shape: Board) -> list[int]:
    cells = len(shape.cells)
    padding = [cells] * (8 - len(shape.directions))
    return [to for cell in range(cells) for to in [shape.neighbour(cell, d) for d in shape.directions] + padding]


def _head(config: Config) -> list[int]:
    shape = board(config.board)
    cells = len(shape.cells)
    head = [0] * STEP
    head[CELLS], head[DIRECTIONS], head[AXES], head[SIDE] = (
        cells,
        len(shape.directions),
        shape.axes,
        shape.side,
    )
    head[SLANT], head[SPREADS] = int((1, -1) in shape.adjacent), int(shape.spreads)
    head[PLAYERS], head[RINGS], head[LINE] = config.players, config.rings, config.line_length
    head[THRESHOLD], head[MINIMUM] = config.ring_threshold, config.territory_minimum
    head[HEIGHT] = BOARD + cells + 1  # one more than the cells: the place beyond the edge
    head[TOP] = head[HEIGHT] + cells
    head[BOTTOM] = head[TOP] + cells
    head[BELOW] = head[BOTTOM] + cells
    head[WIDTH] = head[BELOW] + config.players * config.rings
    head[ROW_CELL] = STEP + 8 * cells
    head[ROW_LOW] = head[ROW_CELL] + shape.side + 1
    head[XS] = head[ROW_LOW] + shape.side
    head[YS] = head[XS] + cells
    for direction, (x, y) in enumerate(shape.directions):
        head[COMPASS + (x + 1) * 3 + y + 1] = direction
    return head


@cache
def tables(config: Config) -> NDArray[np.int16]:
    """Return the table row of a configuration (read-only)."""
    shape = board(config.board)
    xs = [x - shape.low for x, _ in shape.cells]
    ys = [y - shape.low for _, y in shape.cells]
    firsts = [xs.index(x) for x in range(shape.side)]
    row = _head(config) + _steps(shape) + [*firsts, len(xs)] + [ys[cell] for cell in firsts] + xs + ys
    array = np.array(row, np.int16)
    array.flags.writeable = False
    return array
