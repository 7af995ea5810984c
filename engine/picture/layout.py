"""The layout of a board in a picture: the places of its cells, their outlines and the coordinates."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from functools import cache
from math import sqrt

from engine.boards import Board, Cell, board
from engine.picture.svg import Point

MARGIN = 38.0  # for the coordinates

_SMALL, _LARGE = 72.0, 44.0  # width of a cell on boards up to nine cells across, and on others
_ROW = sqrt(3) / 2  # distance of the rows of a hex board, in cell widths


@dataclass(frozen=True)
class Label:
    """A coordinate at the edge of the board, or, beyond the last one, the coordinate's name (`names`)."""

    at: Point
    words: str
    names: bool = False


@dataclass(frozen=True, kw_only=True)
class Layout:
    """A board in pixels: x to the right, y down, as in the records.

    `unit` is the width of a cell, `centres` has a point for each cell, `outline` the corners of a cell around its
    centre. Side i of a cell joins corner i to the next and faces the neighbour at `steps[i]`.
    """

    board: Board
    unit: float
    width: float
    height: float
    centres: tuple[Point, ...]
    outline: tuple[Point, ...]
    steps: tuple[Cell, ...]
    labels: tuple[Label, ...]

    @property
    def letters(self) -> float:
        """The size of letters, relative to that on a small board."""
        return 1.0 if self.unit == _SMALL else 1.35

    def border(self, cells: Collection[int]) -> list[tuple[Point, Point]]:
        """Return the sides of these cells that face cells not among them, or the edge of the board."""
        sides = []
        for cell in sorted(cells):
            x, y = self.centres[cell]
            for i, step in enumerate(self.steps):
                if self.board.neighbour(cell, step) not in cells:
                    (ax, ay), (bx, by) = self.outline[i], self.outline[(i + 1) % len(self.outline)]
                    sides.append(((x + ax, y + ay), (x + bx, y + by)))
        return sides


@cache
def layout_of(board_name: str) -> Layout:
    """Return the layout of a board."""
    shape = board(board_name)
    unit = _SMALL if shape.side <= 9 else _LARGE
    return _hex(shape, unit) if len(shape.directions) == 6 else _square(shape, unit)


def _square(shape: Board, unit: float) -> Layout:
    half, span, near = unit / 2, unit * shape.side, 0.55 * MARGIN
    middle = [MARGIN + unit * (i + 0.5) for i in range(shape.side)]
    labels = []
    for i, at in enumerate(middle):
        labels += [Label((at, near), str(i)), Label((near, at), str(i))]
    beyond = MARGIN + span + 0.4 * MARGIN
    labels += [Label((beyond, near), "x", names=True), Label((near, beyond), "y", names=True)]
    return Layout(
        board=shape,
        unit=unit,
        width=span + 2 * MARGIN,
        height=span + 2 * MARGIN,
        centres=tuple((middle[x], middle[y]) for x, y in shape.cells),
        outline=((-half, -half), (half, -half), (half, half), (-half, half)),
        steps=((0, -1), (1, 0), (0, 1), (-1, 0)),
        labels=tuple(labels),
    )


def _hex(shape: Board, unit: float) -> Layout:
    radius = -shape.low
    corner = unit / sqrt(3)  # from the centre of a cell to its corners, of which two point up and down
    middle = MARGIN + unit * shape.side / 2, MARGIN + corner + unit * _ROW * radius

    def place(x: float, y: float) -> Point:
        return middle[0] + unit * (x + y / 2), middle[1] + unit * _ROW * y

    # A column's label stands beyond its upper end, a row's beyond its right end: no two on one side.
    labels = []
    gap = 0.5 + 0.45 * MARGIN / unit
    for i in range(-radius, radius + 1):
        labels.append(Label(place(i, max(-radius, -radius - i) - gap), str(i)))
        labels.append(Label(place(min(radius, radius - i) + gap, i), str(i)))
    labels.append(Label(place(radius + 0.65, -radius - gap), "x", names=True))
    labels.append(Label(place(gap - 0.35, radius + 0.7), "y", names=True))
    return Layout(
        board=shape,
        unit=unit,
        width=unit * shape.side + 2 * MARGIN,
        height=2 * (corner + unit * _ROW * radius + MARGIN),
        centres=tuple(place(x, y) for x, y in shape.cells),
        outline=(
            (0.0, -corner),
            (unit / 2, -corner / 2),
            (unit / 2, corner / 2),
            (0.0, corner),
            (-unit / 2, corner / 2),
            (-unit / 2, -corner / 2),
        ),
        steps=((1, -1), (1, 0), (0, 1), (-1, 1), (-1, 0), (0, -1)),
        labels=tuple(labels),
    )
