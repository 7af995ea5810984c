"""The kernels that play chosen moves in games on a device, begin games there, and tell the host how they stand."""

from __future__ import annotations

from engine.backend.dialect import Int, IntRows, Ints, LongRows, Longs, Row, Rows, kernel, thread
from engine.rules import apply_move, is_over
from engine.rules.state import PLAYER, WINNER

LENGTH = 0
IS_OVER = 1
TO_MOVE = 2
WON_BY = 3
TOLD = 4
"""Columns of what `tell_games` writes, and their number."""


@kernel
def play_chosen(
    first: int,
    tables: Row,
    scratch: IntRows,
    where: Ints,
    moves: Longs,
    states: Rows,
    log: LongRows,
    lengths: Ints,
) -> None:
    """Play the legal move `moves[i]` in game `where[i]`, which is not over; no game is named twice."""
    place = first + thread.tid()
    lane = thread.tid() % scratch.shape[0]
    game = int(where[place])
    ply = int(lengths[game])
    log[game][ply] = moves[place]
    apply_move(tables, states[game], scratch[lane], moves[place])
    lengths[game] = ply + 1


@kernel
def set_games(first: int, where: Ints, source: Row, states: Rows, lengths: Ints) -> None:
    """Set game `where[i]` to a position before which nothing was played."""
    game = int(where[first + thread.tid()])
    for field in range(states.shape[1]):
        states[game][field] = source[field]
    lengths[game] = 0


@kernel
def take_games(first: int, where: Ints, states: Rows, taken: Rows) -> None:
    """Copy the position of game `where[i]` to row i."""
    place = first + thread.tid()
    game = int(where[place])
    for field in range(states.shape[1]):
        taken[place][field] = states[game][field]


@kernel
def tell_games(first: int, states: Rows, lengths: Ints, told: IntRows) -> None:
    """Write how every game stands: its plies, whether it is over, who is to move, who has won."""
    game = first + thread.tid()
    ended = Int(0)
    if is_over(states[game]):
        ended = Int(1)
    told[game][LENGTH] = lengths[game]
    told[game][IS_OVER] = ended
    told[game][TO_MOVE] = int(states[game][PLAYER])
    told[game][WON_BY] = int(states[game][WINNER])
