"""Playing on without a player: at random, or as a list of moves says."""

from __future__ import annotations

from engine.backend.dialect import Int, Ints, Longs, Row, Word, func
from engine.random import random_below
from engine.rules.legal import legal_moves
from engine.rules.state import is_over, plies
from engine.rules.turn import apply_move


@func
def play_randomly(tables: Row, state: Row, scratch: Ints, room: Longs, seed: Word, game: Word, steps: int) -> int:
    """Play up to `steps` random moves, fewer if the game ends, and return how many.

    Where the legal moves are more than `room` holds, stop there and return minus their number.
    The number drawn depends on the seed, the game and how many moves were applied before, so a game played
    in portions is the game played at once.
    """
    played = Int(0)
    while played < steps and not is_over(state):
        count = legal_moves(tables, state, scratch, room)
        if count > room.shape[0]:
            return -count
        choice = random_below(seed, game, Word(plies(state)), count)
        apply_move(tables, state, scratch, room[choice])
        played += 1
    return played


@func
def replay(tables: Row, state: Row, scratch: Ints, room: Longs, moves: Longs, begin: int, end: int) -> int:
    """Apply moves[begin:end] up to the first that is not legal, and return how many were applied.

    A legal move beyond what `room` holds counts as not legal.
    """
    for place in range(begin, end):
        left = Int(min(legal_moves(tables, state, scratch, room), int(room.shape[0])))
        while left > 0 and room[left - 1] != moves[place]:
            left -= 1
        if left == 0:
            return place - begin
        apply_move(tables, state, scratch, moves[place])
    return end - begin
