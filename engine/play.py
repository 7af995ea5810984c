"""Playing on from a position in one launch, in the dialect: random moves, or a given list of moves."""

from __future__ import annotations

from engine.backend.dialect import Int, Ints, Longs, Row, Word, func
from engine.random import random_below
from engine.rules.legal import legal_moves
from engine.rules.state import is_over, plies
from engine.rules.turn import apply_move


@func
def play_randomly(tables: Row, state: Row, scratch: Ints, room: Longs, seed: Word, game: Word, steps: int) -> int:
    """Play up to `steps` random moves, fewer if the game ends, and return their number.

    If there are more legal moves than `room` holds, stop there and return minus their number. The random number
    depends on the seed, the game and the number of moves applied before, so a game played in portions equals the game
    played at once.
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
    """Apply moves[begin:end] up to the first illegal one, and return how many were applied.

    A legal move that does not fit `room` counts as illegal.
    """
    for place in range(begin, end):
        left = Int(min(legal_moves(tables, state, scratch, room), int(room.shape[0])))
        while left > 0 and room[left - 1] != moves[place]:
            left -= 1
        if left == 0:
            return place - begin
        apply_move(tables, state, scratch, moves[place])
    return end - begin
