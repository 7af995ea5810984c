"""The first position of a game."""

from __future__ import annotations

from engine.backend.dialect import Row, Short, func
from engine.rules.state import ACTIVE, BLOCKED, BOARD, HAND, PLAYER, SWAP
from engine.rules.tables import CELLS, PLAYERS, RINGS, WIDTH


@func
def start(tables: Row, state: Row, swap: int) -> None:
    """Write the first position: an empty board, all rings in hand, player 1 to place; swap 1: the pie rule is on."""
    for field in range(int(tables[WIDTH])):
        state[field] = Short(0)
    state[BOARD + int(tables[CELLS])] = Short(BLOCKED)
    for seat in range(int(tables[PLAYERS])):
        state[HAND + seat + 1] = tables[RINGS]
    state[PLAYER] = Short(1)
    state[ACTIVE] = Short(-1)
    state[SWAP] = Short(swap)
