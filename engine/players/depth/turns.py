"""What a depth search does on copies of a position: save it, try a move, judge what the move leads to.

The unit of depth is the turn of a player, from its placement to the placement of the next. What a player cannot choose
at the end of a turn (no line, no territory) belongs to the move before it.
"""

from __future__ import annotations

from engine.backend.dialect import Float, Floats, Int, Ints, Long, Longs, Row, func
from engine.players.depth.frames import ENDINGS, JUDGED, SEATS, WIN
from engine.players.depth.leaf import STEPS
from engine.rules.legal import legal_moves
from engine.rules.state import CHAIN, OVER, PHASE, PLACEMENT, is_over, winner
from engine.rules.turn import apply_move


@func
def save(state: Row, saved: Row, place: int) -> None:
    """Copy a position to a place of the stack."""
    start = place * state.shape[0]
    for number in range(state.shape[0]):
        saved[start + number] = state[number]


@func
def restore(saved: Row, place: int, state: Row) -> None:
    """Copy a position from a place of the stack."""
    start = place * state.shape[0]
    for number in range(state.shape[0]):
        state[number] = saved[start + number]


@func
def find_moves(tables: Row, state: Row, scratch: Ints, room: Longs) -> int:
    """Write the legal moves into `room` and return their number."""
    return legal_moves(tables, state, scratch, room)


@func
def try_move_on(tables: Row, state: Row, scratch: Ints, room: Longs, move: Long) -> int:
    """Play a move and the forced ones after it within the turn, and return how many turns have ended: 1 or 0."""
    is_placing = int(state[PHASE]) == PLACEMENT
    next_move = Long(move)
    forced = Int(1)
    while forced == 1:
        apply_move(tables, state, scratch, next_move)
        forced = Int(0)
        if int(state[PHASE]) >= CHAIN and int(state[PHASE]) < OVER:
            forced = find_moves(tables, state, scratch, room)
            next_move = room[0]
    return int(is_over(state) or (int(state[PHASE]) == PLACEMENT and not is_placing))


@func
def judge(search: Ints, state: Row, opinion: Floats, ended: int) -> None:
    """Write the values of a position to JUDGED.

    Args:
        opinion: what `evaluate_leaf` wrote, if the game is running.
        ended: turns that have ended beside those counted, 0 or 1.
    """
    turns = int(search[ENDINGS]) + ended
    for seat in range(SEATS):
        search[JUDGED + seat] = turns - WIN
    if is_over(state):
        search[JUDGED + winner(state) - 1] = WIN - turns
        return
    for seat in range(min(SEATS, int(opinion.shape[0]))):
        search[JUDGED + seat] = int(opinion[seat] * Float(STEPS))
