"""What a player does on a copy of a position: try a move, and play on from there at random."""

from __future__ import annotations

from engine.backend.dialect import Int, Ints, Long, Longs, Row, Word, func
from engine.play import play_randomly
from engine.rules.state import player, winner
from engine.rules.turn import apply_move

_MOST_PLIES = 32768  # longer than any game (`engine.rules.state`)


@func(inline=False)
def try_move(tables: Row, before: Row, scratch: Ints, move: Long, after: Row) -> None:
    """Write into `after` the position that a legal move leads to."""
    for place in range(after.shape[0]):
        after[place] = before[place]
    apply_move(tables, after, scratch, move)


@func
def count_wins(
    tables: Row, before: Row, scratch: Ints, room: Longs, move: Long, seed: Word, repeats: int, state: Row
) -> int:
    """Return how many of `repeats` random games after a move its player wins, or `repeats` + 1 if it wins at once.

    Args:
        room: for all legal moves of any position.
        state: room for a copy of the position.
    """
    mover = player(before)
    wins = Int(0)
    for number in range(repeats):
        try_move(tables, before, scratch, move, state)
        if winner(state) == mover:
            return repeats + 1
        play_randomly(tables, state, scratch, room, seed, Word(number), _MOST_PLIES)
        if winner(state) == mover:
            wins += 1
    return wins
