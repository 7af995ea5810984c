"""The four boards as data: cells, directions, neighbours, and the square that each board is embedded in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from types import MappingProxyType

Cell = tuple[int, int]

# The first half of the directions are the line axes, in the order that breaks ties between equally long
# recovery lines (RULES.md section J). Walking along an axis always goes up in cell order, and the opposite
# of direction d is (d + axes) % directions.
_SQUARE_AXES: tuple[Cell, ...] = ((1, 0), (0, 1), (1, 1), (1, -1))  # E, S, SE, NE
_HEX_AXES: tuple[Cell, ...] = ((1, 0), (1, -1), (0, 1))


def _with_opposites(axes: tuple[Cell, ...]) -> tuple[Cell, ...]:
    return axes + tuple((-x, -y) for x, y in axes)


_SQUARE_DIRECTIONS = _with_opposites(_SQUARE_AXES)
_HEX_DIRECTIONS = _with_opposites(_HEX_AXES)


@dataclass(frozen=True, kw_only=True)
class Board:
    """One board. Cells are numbered in record order: sorted by x, then y, numerically.

    `cells[i]` is the (x, y) of cell i; `directions` are the steps of movement (8 or 6), of which the first
    `axes` are the line axes; `adjacent` are the steps that connect a territory. If `spreads`, the collapse of border
    markers extends to the markers around them, by any step of one in x, y or both. `side` is the width of the square
    that holds the board; the square's position (0, 0) is the cell (`low`, `low`).
    """

    name: str
    rings: int
    cells: tuple[Cell, ...]
    directions: tuple[Cell, ...]
    axes: int
    adjacent: tuple[Cell, ...]
    spreads: bool
    side: int
    low: int
    index: Mapping[Cell, int] = field(repr=False)

    def neighbour(self, cell: int, step: Cell) -> int:
        """Return the cell one step away, or `len(cells)` if that is beyond the edge."""
        x, y = self.cells[cell]
        return self.index.get((x + step[0], y + step[1]), len(self.cells))


def _board(name: str, rings: int, cells: list[Cell], *, hexagonal: bool, spreads: bool) -> Board:
    low = min(x for x, _ in cells)
    return Board(
        name=name,
        rings=rings,
        cells=tuple(cells),
        directions=_HEX_DIRECTIONS if hexagonal else _SQUARE_DIRECTIONS,
        axes=len(_HEX_AXES if hexagonal else _SQUARE_AXES),
        adjacent=_HEX_DIRECTIONS if hexagonal else tuple(d for d in _SQUARE_DIRECTIONS if 0 in d),
        spreads=spreads,
        side=1 + max(x for x, _ in cells) - low,
        low=low,
        index=MappingProxyType({cell: i for i, cell in enumerate(cells)}),
    )


def _square_cells(size: int) -> list[Cell]:
    return [(x, y) for x in range(size) for y in range(size)]


def _hex_cells(radius: int) -> list[Cell]:
    span = range(-radius, radius + 1)
    return [(x, y) for x in span for y in span if abs(x + y) <= radius]


@cache
def board(name: str) -> Board:
    """Return the board with this name.

    Raises:
        ValueError: there is no such board.
    """
    match name:
        case "square8":
            return _board(name, 18, _square_cells(8), hexagonal=False, spreads=True)
        case "square19":
            return _board(name, 72, _square_cells(19), hexagonal=False, spreads=True)
        case "hex8":
            return _board(name, 18, _hex_cells(4), hexagonal=True, spreads=True)
        case "hexagonal":
            return _board(name, 96, _hex_cells(12), hexagonal=True, spreads=False)
    raise ValueError(f"unknown board {name!r}; the boards are {', '.join(BOARDS)}")


BOARDS = ("square8", "hex8", "square19", "hexagonal")
