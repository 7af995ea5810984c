"""Moves as numbers of a fixed list, for learners whose policy has one output for each action.

A number means the same in every position of a configuration, with one exception: the stack that pays for a recovery
slide is given by its rank among those that can pay. With N cells, D directions, A = D / 2 axes, S = side - 1, R rings
of a player, line length L and P players, the list is

    PR                    3 N        cell * 3 + count - 1
    MV OC CC              N D S      (from * D + direction) * S + distance of the landing - 1
    RS_F RS_S RS_L1       N D R      (from * D + direction) * R + rank of the payer
    RS_L2                 N D L      (from * D + direction) * L + cells of the part before the one slid to
    PL CL_ALL             N A        first cell * A + axis
    CL_SUB                N A        first cell * A + axis
    EL ET ER FE           N          cell
    TR                    N (P + 1)  first cell * (P + 1) + border colour
    SP NP SW SC NM SR NL ST NT       one each

Moves that share a number are never legal together: the landing cell decides between a move and a capture, the
marker's target between the kinds of slide, the length of the line between PL and CL.
"""

from __future__ import annotations

from functools import cache
from itertools import accumulate

import numpy as np
from numpy.typing import NDArray

from engine.boards import board
from engine.config import Config
from engine.moves import Kind

_ALONE = (Kind.SP, Kind.NP, Kind.SW, Kind.SC, Kind.NM, Kind.SR, Kind.NL, Kind.ST, Kind.NT)
_PAID = (Kind.RS_F, Kind.RS_S, Kind.RS_L1)
_GROUPS = (
    (Kind.PR,),
    (Kind.MV, Kind.OC, Kind.CC),
    _PAID,
    (Kind.RS_L2,),
    (Kind.PL, Kind.CL_ALL),
    (Kind.CL_SUB,),
    (Kind.EL, Kind.ET, Kind.ER, Kind.FE),
    (Kind.TR,),
    _ALONE,
)


def _sizes(config: Config) -> tuple[int, ...]:
    shape = board(config.board)
    cells, directions = len(shape.cells), len(shape.directions)
    rays = cells * directions
    per_ray = shape.side - 1, config.rings, config.line_length
    runs = cells * shape.axes
    return (3 * cells, *(rays * each for each in per_ray), runs, runs, cells, cells * (config.players + 1), len(_ALONE))


def action_count(config: Config) -> int:
    """Return the length of the list of a configuration."""
    return sum(_sizes(config))


@cache
def _coordinates(board_name: str) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    xs, ys = np.array(board(board_name).cells, np.int64).T
    return xs, ys


@cache
def _compass(board_name: str) -> NDArray[np.int64]:
    """Return the direction of (sign dx, sign dy), at [sign dx + 1, sign dy + 1]."""
    compass = np.zeros((3, 3), np.int64)
    for direction, (x, y) in enumerate(board(board_name).directions):
        compass[x + 1, y + 1] = direction
    return compass


def _steps(board_name: str, start: NDArray[np.int64], end: NDArray[np.int64]) -> tuple[NDArray[np.int64], ...]:
    """Return direction and distance from each start to its end, two cells on one line."""
    xs, ys = _coordinates(board_name)
    dx, dy = xs[end] - xs[start], ys[end] - ys[start]
    direction = _compass(board_name)[np.sign(dx) + 1, np.sign(dy) + 1]
    return direction, np.maximum(abs(dx), abs(dy))


def number_moves(config: Config, moves: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the numbers of the legal moves of one position.

    Args:
        moves: int64[n], all legal moves of the position, as `Games.legal` lists them.

    Returns:
        int64[n], all different, 0 to `action_count(config)` - 1.
    """
    kinds, numbers = moves & 255, np.empty(len(moves), np.int64)
    begins = accumulate(_sizes(config), initial=0)
    for group, begin in zip(_GROUPS, begins, strict=False):
        chosen = np.isin(kinds, group)
        if chosen.any():
            numbers[chosen] = begin + _places(config, group, moves[chosen])
    return numbers


def _places(config: Config, group: tuple[Kind, ...], moves: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the place of each move within its group; all moves are of one group."""
    shape = board(config.board)
    a, b, c = moves >> 8 & 4095, moves >> 20 & 4095, moves >> 32
    match group[0]:
        case Kind.PR:
            return a * 3 + b - 1
        case Kind.MV:
            direction, distance = _steps(shape.name, a, np.where(moves & 255 == Kind.MV, b, c))
            return (a * len(shape.directions) + direction) * (shape.side - 1) + distance - 1
        case Kind.RS_F:
            direction, _ = _steps(shape.name, a, b)
            rank = np.searchsorted(np.unique(c), c).astype(np.int64)
            return (a * len(shape.directions) + direction) * config.rings + rank
        case Kind.RS_L2:
            direction, _ = _steps(shape.name, a, b)
            _, before = _steps(shape.name, c >> 3, b)
            return (a * len(shape.directions) + direction) * config.line_length + before
        case Kind.PL | Kind.CL_SUB:
            return a * shape.axes + b
        case Kind.TR:
            return a * (config.players + 1) + b
        case Kind.EL:
            return a
    return np.searchsorted(np.array(_ALONE), moves & 255).astype(np.int64)
