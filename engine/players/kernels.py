"""The kernels of the players: what runs once for each position or move."""

from __future__ import annotations

from engine.backend.dialect import (
    FloatRows,
    Floats,
    IntRows,
    Ints,
    LongRows,
    Longs,
    Row,
    Rows,
    Word,
    Words,
    kernel,
    thread,
)
from engine.players.heuristic_features import advantage, clear, describe_position
from engine.players.trials import count_wins, try_move
from engine.random import random_below
from engine.rules.legal import legal_moves
from engine.rules.state import player, plies


@kernel
def choose_uniformly(
    first: int, tables: Row, states: Rows, scratch: IntRows, room: LongRows, seeds: Words, chosen: Longs
) -> None:
    """Choose one legal move of every game at random."""
    game = first + thread.tid()
    lane = thread.tid() % scratch.shape[0]
    count = legal_moves(tables, states[game], scratch[lane], room[lane])
    chosen[game] = room[lane][random_below(Word(seeds[game]), Word(0), Word(plies(states[game])), count)]


@kernel
def describe_positions(first: int, tables: Row, states: Rows, features: FloatRows) -> None:
    """Write the heuristic's features of every position over zeros, seat after seat."""
    position = first + thread.tid()
    describe_position(tables, states[position], features[position])


@kernel
def score_moves(
    first: int,
    tables: Row,
    states: Rows,
    scratch: IntRows,
    owners: Ints,
    moves: Longs,
    weights: Floats,
    copies: Rows,
    features: FloatRows,
    scores: Floats,
) -> None:
    """Write how good the heuristic finds the position after each move, for the player who makes it."""
    place = first + thread.tid()
    lane = thread.tid() % scratch.shape[0]
    game = int(owners[place])
    try_move(tables, states[game], scratch[lane], moves[place], copies[lane])
    clear(features[lane])
    describe_position(tables, copies[lane], features[lane])
    scores[place] = advantage(tables, features[lane], weights, player(states[game]))


@kernel
def play_out_moves(
    first: int,
    tables: Row,
    states: Rows,
    scratch: IntRows,
    room: LongRows,
    owners: Ints,
    moves: Longs,
    seeds: Words,
    repeats: int,
    copies: Rows,
    wins: Ints,
) -> None:
    """Write how many of `repeats` random games after each move its player wins (see `count_wins`)."""
    place = first + thread.tid()
    lane = thread.tid() % scratch.shape[0]
    before = states[int(owners[place])]
    seed = Word(seeds[place])
    wins[place] = count_wins(tables, before, scratch[lane], room[lane], moves[place], seed, repeats, copies[lane])
