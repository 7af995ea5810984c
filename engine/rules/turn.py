"""Applying a move, and what follows from it: phases, turns, the end."""

from __future__ import annotations

from engine.backend import Long, Row, func
from engine.rules.state import count_move


@func
def apply_move(tables: Row, state: Row, scratch: Row, move: Long) -> None:
    """Apply a legal move in place (see `engine.rules`)."""
    count_move(state)
