"""The legal moves of a position."""

from __future__ import annotations

from engine.backend import Longs, Row, func


@func
def legal_moves(tables: Row, state: Row, scratch: Row, out: Longs) -> int:
    """Write the legal moves into `out` and return their number (see `engine.rules`)."""
    return 0
