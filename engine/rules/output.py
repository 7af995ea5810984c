"""Writing legal moves into a row in such a way that a row that is too short is noticed and never overflows."""

from __future__ import annotations

from engine.backend.dialect import Long, Longs, func


@func
def emit(out: Longs, count: int, move: Long) -> int:
    """Write a move at place `count` if the row is long enough, and return `count + 1` in any case.

    A final count above the row's length tells the caller that moves are missing from the row.
    """
    if count < out.shape[0]:
        out[count] = move
    return count + 1
