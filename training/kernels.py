"""The kernels that play and replay whole games, one thread a game, with every move recorded."""

from __future__ import annotations

from engine.backend.dialect import Int, IntRows, Ints, LongRows, Longs, Row, Rows, Word, Words, kernel, thread
from engine.random import random_below
from engine.rules import apply_move, is_over, legal_moves


@kernel
def play_random(
    first: int,
    tables: Row,
    scratch: IntRows,
    legal: LongRows,
    limits: Ints,
    seeds: Words,
    states: Rows,
    log: LongRows,
    lengths: Ints,
) -> None:
    """Play uniformly random legal moves until a game is over or has `limits[game]` plies."""
    game = first + thread.tid()
    lane = thread.tid() % scratch.shape[0]
    state = states[game]
    ply = int(lengths[game])
    limit = int(limits[game])
    while ply < limit and not is_over(state):
        count = legal_moves(tables, state, scratch[lane], legal[lane])
        move = legal[lane][random_below(Word(seeds[game]), Word(0), Word(ply), count)]
        log[game][ply] = move
        apply_move(tables, state, scratch[lane], move)
        ply += 1
    lengths[game] = ply


@kernel
def play_forced(
    first: int,
    tables: Row,
    scratch: IntRows,
    legal: LongRows,
    limit: int,
    states: Rows,
    log: LongRows,
    lengths: Ints,
) -> None:
    """Play forced moves until there is a choice, the game is over, or it has `limit` plies."""
    game = first + thread.tid()
    lane = thread.tid() % scratch.shape[0]
    state = states[game]
    ply = int(lengths[game])
    while ply < limit and not is_over(state) and legal_moves(tables, state, scratch[lane], legal[lane]) == 1:
        log[game][ply] = legal[lane][0]
        apply_move(tables, state, scratch[lane], legal[lane][0])
        ply += 1
    lengths[game] = ply


@kernel
def replay(
    first: int,
    tables: Row,
    scratch: IntRows,
    legal: LongRows,
    moves: Longs,
    starts: Ints,
    states: Rows,
    options: Ints,
    faults: Ints,
) -> None:
    """Replay games and check every move against the list of legal moves.

    For each ply of `moves`, write how many moves were legal to `options`. Write the game's first illegal ply, or -1, to
    `faults[game]`. A move after the end of a game is illegal.
    """
    game = first + thread.tid()
    lane = thread.tid() % scratch.shape[0]
    state = states[game]
    faults[game] = -1
    for ply in range(int(starts[game]), int(starts[game + 1])):
        count = legal_moves(tables, state, scratch[lane], legal[lane])
        is_legal = Int(0)
        for i in range(count):
            if legal[lane][i] == moves[ply]:
                is_legal = Int(1)
        options[ply] = count
        if is_legal == 0:
            faults[game] = ply
            return
        apply_move(tables, state, scratch[lane], moves[ply])


@kernel
def snapshot(
    first: int, tables: Row, scratch: IntRows, moves: Longs, starts: Ints, wanted: Ints, states: Rows, kept: Rows
) -> None:
    """Replay legal games and copy the position before ply i to row `wanted[i]` of `kept`, if that is >= 0."""
    game = first + thread.tid()
    lane = thread.tid() % scratch.shape[0]
    state = states[game]
    for ply in range(int(starts[game]), int(starts[game + 1])):
        row = int(wanted[ply])
        if row >= 0:
            for i in range(kept.shape[1]):
                kept[row][i] = state[i]
        apply_move(tables, state, scratch[lane], moves[ply])
