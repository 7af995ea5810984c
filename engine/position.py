"""Positions as plain data, for whatever shows them: pictures, text boards, reports."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.backend.dialect import plain_row
from engine.boards import board
from engine.config import Config
from engine.notation import PHASE_NAMES, ending_text, rings_on
from engine.rules import state as record
from engine.rules.sizes import state_width
from engine.rules.tables import tables

_ENDINGS = {
    "ring": "by eliminated rings",
    "territory": "by territory",
    "lps_early": "as the only one with rings",
    "lps_rounds": "as the last player standing",
    "stale_territory": "on a bare board, by territory",
    "stale_rings": "on a bare board, by rings",
    "stale_markers": "on a bare board, by markers",
    "stale_last": "on a bare board, by the last move",
}


@dataclass(frozen=True, kw_only=True)
class Position:
    """A position as a player sees it. Cells are numbers in board order, owners are players 1 .. players.

    `stacks` gives the owners of the rings from bottom to top; `hand`, `eliminated` and `territory` have one entry
    per seat. `player` and `winner` are 0 if there is none, `phase` is the long name or "game_over", `ending` an end
    code (FORMAT.md section 6) or "".
    """

    config: Config
    ply: int
    player: int
    phase: str
    winner: int
    ending: str
    hand: tuple[int, ...]
    eliminated: tuple[int, ...]
    territory: tuple[int, ...]
    stacks: Mapping[int, tuple[int, ...]]
    markers: Mapping[int, int]
    collapsed: Mapping[int, int]


def read_position(config: Config, state: NDArray[np.int16]) -> Position:
    """Return the position in a record row (int16[width], a row of `Games.states`).

    Raises:
        ValueError: the row is not as wide as this configuration's records.
    """
    if state.shape != (state_width(config),):
        raise ValueError(f"a row of {config.name} has {state_width(config)} numbers, got {list(state.shape)}")
    row, table = plain_row(np.ascontiguousarray(state)), plain_row(tables(config))
    stacks, markers, collapsed = {}, {}, {}
    for cell in range(len(board(config.board).cells)):
        here = record.content(row, cell)
        if here >= record.STACK:
            stacks[cell] = tuple(rings_on(table, row, cell))
        elif here >= record.BLOCKED:
            collapsed[cell] = record.owner(here)
        elif here:
            markers[cell] = here
    hand, eliminated, territory = (
        tuple(int(row[field + seat]) for seat in range(1, config.players + 1))
        for field in (record.HAND, record.ELIMINATED, record.TERRITORY)
    )
    return Position(
        config=config,
        ply=record.plies(row),
        player=record.player(row),
        phase="game_over" if record.is_over(row) else PHASE_NAMES[row[record.PHASE]],
        winner=record.winner(row),
        ending=ending_text(state),
        hand=hand,
        eliminated=eliminated,
        territory=territory,
        stacks=stacks,
        markers=markers,
        collapsed=collapsed,
    )


def cap_of(rings: tuple[int, ...]) -> int:
    """Return the number of rings of one player at the top of a stack."""
    below = [place for place, owner in enumerate(reversed(rings)) if owner != rings[-1]]
    return below[0] if below else len(rings)


def situation(position: Position) -> str:
    """Return a text that names the phase, or the way in which the game was won."""
    if position.phase == "game_over":
        return _ENDINGS[position.ending]
    return position.phase.replace("_", " ")
