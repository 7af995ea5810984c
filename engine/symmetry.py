"""The symmetries of the boards, applied to positions, moves and planes.

A symmetry is a rotation or reflection that takes the board onto itself: 8 on square boards, 12 on hex boards. It
transforms games, moves, or both. Legal moves and play commute with it, that is

    transform_games(games after move) == transform_games(games) after transform_moves(move)

and likewise for the lists of legal moves (as sets: their order changes). The limits of this (RULES.md):

* Identity and half turn: always, on every board.
* Every symmetry that is `exact`: all 8 on square8 and square19, all 12 on hexagonal, 4 of the 12 on hex8; with one
  exception. If a recovery slide completes two longest runs of one length on different axes, the rules take the
  first axis of a fixed order (section J), and only the half turn keeps every axis.
* The other 8 on hex8 also change which markers collapse with a claimed region: there the collapse of border markers
  spreads by 8-neighbour steps in (x, y) (section G), which on a hex board single out one of its three diagonals.
  Legal moves still commute, and so does play except for such claims. For learning they are as good as exact.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from itertools import product

import numpy as np
from numpy.typing import ArrayLike, NDArray

from engine.boards import Board, Cell, board
from engine.config import Config
from engine.features import frame
from engine.games import Games
from engine.moves import Kind
from engine.notation import region_cells
from engine.rules import state as record
from engine.rules.sizes import state_width
from engine.rules.tables import BOTTOM, HEIGHT, TOP, tables

_SIGNS = (1, 0, -1)
_FROM_TO = (Kind.MV, Kind.OC, Kind.CC, Kind.RS_F, Kind.RS_S, Kind.RS_L1, Kind.RS_L2)
_CELL_A = np.isin(np.arange(256), (*_FROM_TO, Kind.PR, Kind.EL, Kind.ET, Kind.ER, Kind.FE))
_CELL_B = np.isin(np.arange(256), _FROM_TO)
_CELL_C = np.isin(np.arange(256), (Kind.OC, Kind.CC, Kind.RS_F, Kind.RS_S, Kind.RS_L1))
_RUN = np.isin(np.arange(256), (Kind.PL, Kind.CL_ALL, Kind.CL_SUB))


@dataclass(frozen=True, eq=False)
class Symmetry:
    """One symmetry of one board (arrays are read-only).

    `matrix` takes (x, y), relative to the middle of the board, to (m[0] x + m[1] y, m[2] x + m[3] y).
    """

    board: str
    matrix: tuple[int, int, int, int]
    cells: NDArray[np.int32]  # [cells]: the image of each cell
    directions: NDArray[np.int32]  # [8 or 6]: the image of each direction
    exact: bool  # see the module's docstring

    def inverse(self) -> Symmetry:
        """Return the symmetry that undoes this one."""
        undone = np.argsort(self.cells)
        return next(each for each in symmetries(self.board) if (each.cells == undone).all())


def _image(matrix: tuple[int, ...], cell: Cell) -> Cell:
    x, y = cell
    return matrix[0] * x + matrix[1] * y, matrix[2] * x + matrix[3] * y


def _keeps(matrix: tuple[int, ...], steps: set[Cell]) -> bool:
    return {_image(matrix, step) for step in steps} == steps


def _symmetry(shape: Board, matrix: tuple[int, int, int, int]) -> Symmetry:
    middle = 2 * shape.low + shape.side - 1  # in half cells
    images = [_image(matrix, (2 * x - middle, 2 * y - middle)) for x, y in shape.cells]
    cells = np.array([shape.index[(x + middle) // 2, (y + middle) // 2] for x, y in images], np.int32)
    directions = np.array([shape.directions.index(_image(matrix, step)) for step in shape.directions], np.int32)
    cells.flags.writeable = directions.flags.writeable = False
    spread = set(product(_SIGNS, _SIGNS))
    return Symmetry(shape.name, matrix, cells, directions, exact=not shape.spreads or _keeps(matrix, spread))


@cache
def symmetries(board_name: str) -> tuple[Symmetry, ...]:
    """Return all symmetries of a board, the identity first."""
    shape = board(board_name)
    found = [m for m in product(_SIGNS, _SIGNS, _SIGNS, _SIGNS) if _keeps(m, set(shape.directions))]
    return tuple(_symmetry(shape, matrix) for matrix in sorted(found, key=lambda m: m != (1, 0, 0, 1)))


@cache
def _row_sources(config: Config, symmetry: Symmetry) -> NDArray[np.intp]:
    """Return, for each number of a transformed row, its place in the original row."""
    table = tables(config)
    sources = np.arange(state_width(config))
    for first in (record.BOARD, *(int(table[part]) for part in (HEIGHT, TOP, BOTTOM))):
        sources[first + symmetry.cells] = first + np.arange(len(symmetry.cells))
    return sources


def transform_games(games: Games, symmetry: Symmetry) -> Games:
    """Return a new batch with the image of every game under the symmetry, hidden state included."""
    _check_board(games, symmetry)
    states = games.states[:, _row_sources(games.config, symmetry)]
    active = states[:, record.ACTIVE]
    states[:, record.ACTIVE] = np.where(active >= 0, symmetry.cells[active], active)
    return Games(games.config, states, games.executor)


def transform_moves(
    games: Games, moves: ArrayLike, symmetry: Symmetry, owners: ArrayLike | None = None
) -> NDArray[np.int64]:
    """Return the images of legal moves under the symmetry.

    Args:
        games: the games in which the moves are legal, not yet transformed.
        moves: int64[n]; entries below 0 stay as they are.
        owners: int[n], the game of each move; by default there is one move for each game.

    Returns:
        int64[n], in the order of `moves`.

    Raises:
        ValueError: the symmetry is of another board, or there are not as many owners as moves.
    """
    _check_board(games, symmetry)
    given = np.asarray(moves, np.int64)
    games_of = np.arange(len(games)) if owners is None else np.asarray(owners)
    if games_of.shape != given.shape:
        raise ValueError(f"{list(given.shape)} moves need as many owners, got {list(games_of.shape)}")
    kind, a, b, c = given & 255, given >> 8 & 4095, given >> 20 & 4095, given >> 32
    cells = symmetry.cells
    images = [
        np.where(marked[kind], cells[np.where(marked[kind], cell, 0)], cell)
        for marked, cell in ((_CELL_A, a), (_CELL_B, b), (_CELL_C, c))
    ]
    _transform_runs(games.config, symmetry, given, images)
    for place in np.flatnonzero(kind == Kind.TR):
        state = games.states[games_of[place]]
        region = region_cells(games.config, state, int(a[place]), int(b[place]))
        images[0][place] = cells[region].min()
    a, b, c = images
    return np.where(given < 0, given, kind | a << 8 | b << 20 | c << 32)


def _check_board(games: Games, symmetry: Symmetry) -> None:
    if games.config.board != symmetry.board:
        raise ValueError(f"a symmetry of {symmetry.board} does not fit games of {games.config.name}")


def _transform_runs(
    config: Config, symmetry: Symmetry, moves: NDArray[np.int64], images: list[NDArray[np.int64]]
) -> None:
    """Write into `images` the images of moves that name a run of cells by its first cell and axis."""
    kind, a, b, c = moves & 255, moves >> 8 & 4095, moves >> 20 & 4095, moves >> 32
    line = _RUN[kind] & (moves >= 0)
    length = np.where(kind == Kind.CL_SUB, config.line_length, c)
    images[0][line], images[1][line] = _run_image(symmetry, a[line], b[line], length[line])
    part = (kind == Kind.RS_L2) & (moves >= 0)
    first, axis = _run_image(symmetry, c[part] >> 3, c[part] & 7, np.full(int(part.sum()), config.line_length))
    images[2][part] = first << 3 | axis


def _run_image(
    symmetry: Symmetry, first: NDArray[np.int64], axis: NDArray[np.int64], length: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the first cells and axes of the images of runs."""
    shape = board(symmetry.board)
    ends = [
        shape.index[x + (n - 1) * dx, y + (n - 1) * dy]
        for (x, y), (dx, dy), n in zip(
            (shape.cells[cell] for cell in first), (shape.directions[d] for d in axis), length, strict=True
        )
    ]
    # along an axis cell numbers rise, so the first cell of the image is the lower one of its ends
    lower = np.minimum(symmetry.cells[first], symmetry.cells[np.array(ends, int)])
    return lower.astype(np.int64), symmetry.directions[axis].astype(np.int64) % shape.axes


def transform_planes(planes: NDArray[np.float32], symmetry: Symmetry) -> NDArray[np.float32]:
    """Return planes [..., side, side] of a position (`engine.features`) as those of the transformed position."""
    square = frame(symmetry.board)
    flat = planes.reshape(*planes.shape[:-2], -1)
    seen = np.zeros_like(flat)
    seen[..., square.grid[symmetry.cells]] = flat[..., square.grid]
    return seen.reshape(planes.shape)
