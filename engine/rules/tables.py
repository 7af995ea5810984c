"""The table row: everything about a configuration that the rules look up, as one int16 row."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from engine.backend import Row, func
from engine.boards import Board, board
from engine.config import Config
from engine.rules.state import BOARD

# Numbers at the head of the row.
CELLS = 0
DIRECTIONS = 1
AXES = 2
ADJACENT = 3  # how many steps connect a territory
SPREAD = 4  # how many steps carry a border collapse on; 0: only markers next to the region collapse
PLAYERS = 5
RINGS = 6  # supply of each player
LINE = 7  # markers that make a line
THRESHOLD = 8  # eliminated rings that win
MINIMUM = 9  # territory that can win
WIDTH = 10  # length of a state row
HEIGHT = 11  # where in a state row the heights by cell begin ...
TOP = 12  # ... the top ring by cell ...
BOTTOM = 13  # ... the bottom ring by cell ...
BELOW = 14  # ... and the ring below each ring
NEAR = 15  # where in this row the territory neighbours begin
BORDER = 16  # where in this row the steps of a spreading border begin
XS = 17  # where in this row the x of each cell begins (0 .. side - 1)
YS = 18  # where in this row the y of each cell begins
COMPASS = 19  # nine entries: the direction of (sign dx, sign dy), at (sign dx + 1) * 3 + sign dy + 1
STEP = 28  # eight entries a cell: the next cell in each direction, or CELLS beyond the edge


@func
def step(tables: Row, cell: int, direction: int) -> int:
    """The next cell in a direction, or the number of cells beyond the edge (where the board is blocked)."""
    return int(tables[STEP + cell * 8 + direction])


@func
def opposite(tables: Row, direction: int) -> int:
    axes = int(tables[AXES])
    if direction < axes:
        return direction + axes
    return direction - axes


@func
def direction_between(tables: Row, start: int, end: int) -> int:
    """The direction in which `end` lies from `start`, two cells on one line."""
    xs = int(tables[XS])
    ys = int(tables[YS])
    dx = int(tables[xs + end]) - int(tables[xs + start])
    dy = int(tables[ys + end]) - int(tables[ys + start])
    sign_x = min(max(dx, -1), 1)
    sign_y = min(max(dy, -1), 1)
    return int(tables[COMPASS + (sign_x + 1) * 3 + sign_y + 1])


def _steps(shape: Board, steps: tuple[tuple[int, int], ...]) -> list[int]:
    cells = len(shape.cells)
    padding = [cells] * (8 - len(steps))
    return [to for cell in range(cells) for to in [shape.neighbour(cell, step) for step in steps] + padding]


@cache
def tables(config: Config) -> NDArray[np.int16]:
    """The table row of a configuration (read-only)."""
    shape = board(config.board)
    cells = len(shape.cells)
    head = [0] * STEP
    head[CELLS], head[DIRECTIONS], head[AXES] = cells, len(shape.directions), shape.axes
    head[ADJACENT], head[SPREAD] = len(shape.adjacent), len(shape.spread)
    head[PLAYERS], head[RINGS], head[LINE] = config.players, config.rings, config.line_length
    head[THRESHOLD], head[MINIMUM] = config.ring_threshold, config.territory_minimum
    head[HEIGHT] = BOARD + cells + 1  # one more than the cells: the place beyond the edge
    head[TOP] = head[HEIGHT] + cells
    head[BOTTOM] = head[TOP] + cells
    head[BELOW] = head[BOTTOM] + cells
    head[WIDTH] = head[BELOW] + config.players * config.rings
    head[NEAR] = STEP + 8 * cells
    head[BORDER] = head[NEAR] + 8 * cells
    head[XS] = head[BORDER] + 8 * cells
    head[YS] = head[XS] + cells
    for direction, (x, y) in enumerate(shape.directions):
        head[COMPASS + (x + 1) * 3 + y + 1] = direction
    row = head + _steps(shape, shape.directions) + _steps(shape, shape.adjacent) + _steps(shape, shape.spread)
    row += [x - shape.low for x, _ in shape.cells] + [y - shape.low for _, y in shape.cells]
    array = np.array(row, np.int16)
    array.flags.writeable = False
    return array
