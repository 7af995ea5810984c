"""The kernels of the players: what runs once for each position or move."""

from __future__ import annotations

from engine.backend.dialect import (
    FloatRows,
    IntRows,
    LongRows,
    Longs,
    Row,
    Rows,
    Word,
    Words,
    kernel,
    thread,
)
from engine.play import play_randomly
from engine.players.heuristic_features import describe_position
from engine.random import random_below, random_word
from engine.rules.legal import legal_moves
from engine.rules.state import plies, winner


@kernel
def choose_uniformly(
    first: int, tables: Row, states: Rows, scratch: IntRows, room: LongRows, seeds: Words, chosen: Longs
) -> None:
    """Choose one legal move of every game at random."""
    game = first + thread.tid()
    lane = thread.tid() % scratch.shape[0]
    state = states[game]
    count = legal_moves(tables, state, scratch[lane], room[lane])
    chosen[game] = room[lane][random_below(Word(seeds[game]), Word(0), Word(plies(state)), count)]


@kernel
def describe_positions(first: int, tables: Row, states: Rows, features: FloatRows) -> None:
    """Write the heuristic's features of every position over zeros, seat after seat."""
    position = first + thread.tid()
    describe_position(tables, states[position], features[position])


@kernel
def play_out(
    first: int,
    tables: Row,
    states: Rows,
    scratch: IntRows,
    room: LongRows,
    seeds: Words,
    repeats: int,
    limit: int,
    copies: Rows,
    wins: IntRows,
) -> None:
    """Play `repeats` random games of at most `limit` moves from every position, and count whom each player won.

    Game k of a position depends on the position's seed and k alone. `copies` has one row a lane; `wins` int32 has
    a column for each player and column 0 for games without a winner.
    """
    position = first + thread.tid()
    lane = thread.tid() % scratch.shape[0]
    state = copies[lane]
    for number in range(repeats):
        for place in range(state.shape[0]):
            state[place] = states[position][place]
        seed = random_word(Word(seeds[position]), Word(number), Word(0))
        play_randomly(tables, state, scratch[lane], room[lane], seed, Word(0), limit)
        holder = winner(state)
        wins[position][holder] = int(wins[position][holder]) + 1
