"""Positions set up by hand, for rules that games seldom reach."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from engine.backend.dialect import PLAIN, plain_row
from engine.boards import Cell, board
from engine.config import Config
from engine.games import Games
from engine.rules import start, state_width, tables
from engine.rules import state as record
from engine.rules.markers import collapse, put_marker
from engine.rules.stacks import place_ring
from tests.engine.audit import audit


def position(
    config: Config,
    *,
    player: int = 1,
    phase: int = record.MOVEMENT,
    stacks: Mapping[Cell, str] | None = None,
    markers: Mapping[Cell, int] | None = None,
    collapsed: Mapping[Cell, int] | None = None,
    hands: tuple[int, ...] | None = None,
) -> Games:
    """One game with these stacks (rings from the bottom up), markers and collapsed cells.

    Rings that are neither on the board nor in a hand were eliminated, credited to player 1.
    """
    index = board(config.board).index
    states = np.zeros((1, state_width(config)), np.int16)
    table, row = plain_row(tables(config)), plain_row(states[0])
    start(table, row, 0)
    for cell, rings in (stacks or {}).items():
        for ring in rings:
            place_ring(table, row, index[cell], int(ring))
    for cell, owner in (markers or {}).items():
        put_marker(row, index[cell], owner)
    for cell, owner in (collapsed or {}).items():
        collapse(row, index[cell], owner)
    for seat, hand in enumerate(hands or (0,) * config.players, 1):
        row[record.ELIMINATED + 1] += row[record.HAND + seat] - hand
        row[record.HAND + seat] = hand
    row[record.PLAYER], row[record.PHASE] = player, phase
    audit(config, states[0])
    return Games(config, states, PLAIN)
