"""The kernels of the players: what runs once for each position or move."""

from __future__ import annotations

from engine.backend.dialect import (
    Float,
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
from engine.backend.rows import copy_row
from engine.nnue.accumulator import chance, update, write_logits
from engine.players.heuristic_features import advantage, clear, describe_position
from engine.players.trials import count_wins, try_move
from engine.random import random_below
from engine.rules.legal import legal_moves
from engine.rules.state import is_over, player, plies, winner
from engine.rules.turn import apply_move


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


@kernel
def rate_moves(
    first: int,
    tables: Row,
    states: Rows,
    scratch: IntRows,
    owners: Ints,
    moves: Longs,
    sums: Rows,
    weights: Rows,
    top: int,
    layers: FloatRows,
    copies: Rows,
    sums_after: Rows,
    logits: FloatRows,
    scores: Floats,
) -> None:
    """Write the chance to win that an NNUE network gives the player who makes each move, 2 if it wins, -1 if it loses.

    `sums` has the accumulators of every game (`engine.nnue.accumulator`).
    """
    place = first + thread.tid()
    lane = thread.tid() % scratch.shape[0]
    game = int(owners[place])
    mover = player(states[game])
    copy_row(states[game], copies[lane])
    apply_move(tables, copies[lane], scratch[lane], moves[place])
    if is_over(copies[lane]):
        scores[place] = Float(-1.0)
        if winner(copies[lane]) == mover:
            scores[place] = Float(2.0)
        return
    copy_row(sums[game], sums_after[lane])
    update(tables, states[game], copies[lane], weights, sums_after[lane])
    write_logits(tables, sums_after[lane], top, layers, logits[lane])
    scores[place] = chance(tables, logits[lane], mover)
