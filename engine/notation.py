"""Positions and moves written as text, in the form of the recorded games (FORMAT.md sections 3 to 6)."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray

from engine.backend.dialect import Row, plain_row
from engine.boards import board
from engine.config import Config
from engine.moves import Kind, move_a, move_b, move_c, move_kind
from engine.rules import state as record
from engine.rules.lines import run_length
from engine.rules.masks import has_cell
from engine.rules.recovery import run_start
from engine.rules.regions import FOUND, find_region, survey
from engine.rules.sizes import scratch_width
from engine.rules.stacks import height, ring_below, ring_owner
from engine.rules.tables import CELLS, LINE, SIDE, TOP, step, tables

PHASES = "PMCHLTF"
PHASE_NAMES = (
    "ring_placement",
    "movement",
    "capture",
    "chain_capture",
    "line_processing",
    "territory_processing",
    "forced_elimination",
)
ENDINGS = (
    "",
    "ring",
    "territory",
    "lps_early",
    "stale_territory",
    "stale_rings",
    "stale_markers",
    "stale_last",
    "lps_rounds",
)


@cache
def cell_names(board_name: str) -> tuple[str, ...]:
    """Return the text "x,y" of every cell of a board."""
    return tuple(f"{x},{y}" for x, y in board(board_name).cells)


def cells_text(names: Sequence[str], cells: Iterable[int]) -> str:
    """Return the text of a list of cells, sorted by x, then y."""
    return ";".join([names[cell] for cell in sorted(cells)])


def _run(table: Row, first: int, axis: int, length: int) -> list[int]:
    cells = [first]
    while len(cells) < length:
        cells.append(step(table, cells[-1], axis))
    return cells


def _line_text(names: Sequence[str], table: Row, state: Row, kind: int, fields: tuple[int, int, int]) -> str:
    a, b, c = fields
    if kind == Kind.PL:
        return f"PL {cells_text(names, _run(table, a, b, c))}"
    if kind == Kind.CL_ALL:
        return f"CL {cells_text(names, _run(table, a, b, c))} ALL"
    player = record.player(state)
    first = run_start(table, state, a, b, player)
    line = _run(table, first, b, 1 + run_length(table, state, first, b, player))
    return f"CL {cells_text(names, line)} {cells_text(names, _run(table, a, b, table[LINE]))}"


def region_cells(config: Config, state: NDArray[np.int16], first: int, colour: int) -> list[int]:
    """Return the cells of the region that `TR` claims, in cell order.

    Args:
        state: the record row in which the claim is legal.
        first: the region's first cell, as in the move.
        colour: the colour of its border, as in the move.
    """
    table, row = plain_row(tables(config)), plain_row(state)
    scratch = plain_row(np.zeros(scratch_width(config), np.int32))
    survey(table, row, scratch, record.player(row))
    find_region(table, row, scratch, first, colour)
    found = FOUND * table[SIDE]
    return [cell for cell in range(table[CELLS]) if has_cell(table, scratch, found, cell)]


def _region_text(config: Config, state: NDArray[np.int16], first: int, colour: int, size: int) -> str:
    names, cells = cell_names(config.board), region_cells(config, state, first, colour)
    if len(cells) != size:
        raise ValueError(f"no region of {size} cells at {names[first]}: it has {len(cells)}")
    listed = cells_text(names, cells)
    return f"TR {names[first]} {size} {hashlib.sha256(listed.encode()).hexdigest()[:8]}"


def _slide_text(names: Sequence[str], table: Row, kind: int, fields: tuple[int, int, int]) -> str:
    a, b, c = fields
    head = f"RS {names[a]} {names[b]}"
    if kind == Kind.RS_L2:
        return f"{head} L2 {cells_text(names, _run(table, c >> 3, c & 7, table[LINE]))}"
    return f"{head} {Kind(kind).name[3:]} {names[c]}"


def move_to_text(config: Config, state: NDArray[np.int16], move: int) -> str:
    """Return the canonical string of a legal move.

    Args:
        state: the record row in which the move is legal.

    Raises:
        ValueError: the number is not a move of this configuration.
    """
    move = int(move)
    if move < 0 or move_kind(move) >= len(Kind):
        raise ValueError(f"{move} is not a move")
    try:
        return _move_text(config, state, move)
    except IndexError:
        raise ValueError(f"{move} is not a move of {config.name}: it names a cell beyond the board") from None


def _move_text(config: Config, state: NDArray[np.int16], move: int) -> str:
    names = cell_names(config.board)
    kind, a, b, c = Kind(move_kind(move)), move_a(move), move_b(move), move_c(move)
    match kind:
        case Kind.PR:
            return f"PR {names[a]} {b}"
        case Kind.MV:
            return f"MV {names[a]} {names[b]}"
        case Kind.OC | Kind.CC:
            return f"{kind.name} {names[a]} {names[b]} {names[c]}"
        case Kind.RS_F | Kind.RS_S | Kind.RS_L1 | Kind.RS_L2:
            return _slide_text(names, plain_row(tables(config)), kind, (a, b, c))
        case Kind.PL | Kind.CL_ALL | Kind.CL_SUB:
            return _line_text(names, plain_row(tables(config)), plain_row(state), kind, (a, b, c))
        case Kind.TR:
            return _region_text(config, state, a, b, c)
        case Kind.EL | Kind.ET | Kind.ER | Kind.FE:
            return f"{kind.name} {names[a]}"
    return kind.name


def rings_on(table: Row, state: Row, cell: int) -> list[int]:
    """Return the owners of the rings of a stack, bottom to top.

    Args:
        table: `tables(config)` as a plain row.
        state: a record row as a plain row.
    """
    ring = state[table[TOP] + cell]
    owners = [ring_owner(table, ring)]
    while len(owners) < height(table, state, cell):
        ring = ring_below(table, state, ring)
        owners.append(ring_owner(table, ring))
    return owners[::-1]


def state_text(config: Config, state: NDArray[np.int16]) -> str:
    """Return the canonical text of a position (FORMAT.md section 5)."""
    names, table, row = cell_names(config.board), plain_row(tables(config)), plain_row(state)
    lines = [f"b {config.board} {config.players}"]
    if record.is_over(row):
        lines.append(f"t 0 game_over completed {record.winner(row)}")
    else:
        lines.append(f"t {record.player(row)} {PHASE_NAMES[row[record.PHASE]]} active -")
    for seat in range(1, config.players + 1):
        numbers = (row[field + seat] for field in (record.HAND, record.ELIMINATED, record.TERRITORY))
        lines.append(f"p {seat} {' '.join(map(str, numbers))}")
    stacks, markers, collapsed = [], [], []
    for cell, here in enumerate(state[record.BOARD : record.BOARD + len(names)].tolist()):
        if here >= record.STACK:
            stacks.append(f"s {names[cell]} {''.join(map(str, rings_on(table, row, cell)))}")
        elif here >= record.BLOCKED:
            collapsed.append(f"c {names[cell]} {record.owner(here)}")
        elif here:
            markers.append(f"m {names[cell]} {here}")
    return "\n".join(lines + stacks + markers + collapsed)


def state_digest(config: Config, state: NDArray[np.int16]) -> str:
    """Return the first 16 hexadecimal digits of the SHA-256 of the position's text."""
    return hashlib.sha256(state_text(config, state).encode()).hexdigest()[:16]


def ending_text(state: NDArray[np.int16]) -> str:
    """Return the end code of a game that is over (FORMAT.md section 6), "" while it runs."""
    return ENDINGS[int(state[record.ENDING])]
