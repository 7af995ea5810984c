"""The kernel of the depth searches, with one thread a game: try a move, judge, and choose what to try next.

The stages of its loop are functions of their own that take whole tables and the thread's lane, and not rows: a row that
lives through the loop would have to be kept in a GPU's local memory.
"""

from __future__ import annotations

from engine.backend.dialect import (
    FloatRows,
    Floats,
    Int,
    IntRows,
    Ints,
    Long,
    LongRows,
    Longs,
    Row,
    Rows,
    func,
    kernel,
    thread,
)
from engine.backend.rows import copy_row
from engine.players.depth.frames import (
    LEAF_KIND,
    LIMIT,
    LISTED,
    PLACE,
    ROOT,
    SOURCE,
    TOTAL,
    TRIED,
    VALUE,
    frame_of,
    key_of,
)
from engine.players.depth.leaf import begin_ratings, evaluate_leaf
from engine.players.depth.search import PASS, PASSING, STOP, next_move, observe, open_root, play_greedily
from engine.players.depth.turns import judge, restore, save, try_move_on
from engine.rules.legal import legal_moves
from engine.rules.state import player

# Columns of a report.
VALUE_FOUND = 0  # the value of the chosen move for the player, of the last iteration
TURNS_BEGUN = 1  # the turns of the last iteration
MOVES_TRIED = 2
REPORT = 3


@func(inline=False)
def copy_game(states: Rows, offsets: Ints, options: Longs, copies: Rows, moves: LongRows, game: int, lane: int) -> int:
    """Copy the position of a game, and its moves to those to be tried; return their number."""
    start = int(offsets[game])
    count = int(offsets[game + 1]) - start
    for place in range(count):
        moves[lane][LISTED + place] = options[start + place]
    copy_row(states[game], copies[lane])
    return count


@func(inline=False)
def go_on(searches: IntRows, moves: LongRows, saved: Rows, copies: Rows, lane: int) -> Long:
    """Write the position in which a move is to be tried next, and return the move; PASS, or STOP."""
    move = next_move(searches[lane], moves[lane])
    if move != Long(STOP):
        restore(saved[lane], int(searches[lane][SOURCE]), copies[lane])
    return move


@func(inline=False)
def play(tables: Row, copies: Rows, scratch: IntRows, room: LongRows, lane: int, move: Long) -> int:
    """Play a move and what is forced after it; return how many turns have ended, 0 or 1."""
    return try_move_on(tables, copies[lane], scratch[lane], room[lane], move)


@func(inline=False)
def assess(
    tables: Row,
    copies: Rows,
    weights: Floats,
    network: Rows,
    top: int,
    layers: FloatRows,
    last_rated: Rows,
    sums: Rows,
    logits: FloatRows,
    opinions: FloatRows,
    searches: IntRows,
    lane: int,
    ended: int,
) -> None:
    """Judge the position after the move."""
    evaluate_leaf(
        int(searches[lane][LEAF_KIND]),
        tables,
        copies[lane],
        weights,
        network,
        top,
        layers,
        last_rated[lane],
        sums[lane],
        logits[lane],
        opinions[lane],
    )
    judge(searches[lane], copies[lane], opinions[lane], ended)


@func(inline=False)
def follow(tables: Row, copies: Rows, searches: IntRows, moves: LongRows, lane: int, ended: int) -> bool:
    """Take in the position after the move; return whether its moves are to be tried next."""
    return observe(tables, searches[lane], moves[lane], copies[lane], ended)


@func(inline=False)
def pass_on(copies: Rows, searches: IntRows, lane: int) -> None:
    """Leave the turn to a stand-in."""
    play_greedily(searches[lane], PASSING, player(copies[lane]))


@func(inline=False)
def keep(copies: Rows, saved: Rows, searches: IntRows, lane: int) -> None:
    """Save the position whose moves are to be tried."""
    save(copies[lane], saved[lane], int(searches[lane][SOURCE]))


@func(inline=False)
def list_moves(
    tables: Row, copies: Rows, scratch: IntRows, room: LongRows, searches: IntRows, moves: LongRows, lane: int
) -> None:
    """List the moves of a position, to be tried."""
    count = legal_moves(tables, copies[lane], scratch[lane], room[lane])
    for place in range(count):
        moves[lane][LISTED + place] = room[lane][place]
    searches[lane][TOTAL] = count
    searches[lane][PLACE] = 0


@func(inline=False)
def write_result(searches: IntRows, moves: LongRows, chosen: Longs, reports: IntRows, game: int, lane: int) -> None:
    """Write the best move of a game, and the report of its search."""
    chosen[game] = moves[lane][0]
    reports[game][VALUE_FOUND] = key_of(searches[lane], frame_of(0) + VALUE, int(searches[lane][ROOT]))
    reports[game][TURNS_BEGUN] = int(searches[lane][LIMIT])
    reports[game][MOVES_TRIED] = int(searches[lane][TRIED])


@kernel
def choose_by_depth(
    first: int,
    tables: Row,
    states: Rows,
    offsets: Ints,
    options: Longs,
    rule: int,
    leaf: int,
    budget: int,
    width: int,
    root_width: int,
    most_turns: int,
    weights: Floats,
    network: Rows,
    biases: Row,
    top: int,
    layers: FloatRows,
    last_rated: Rows,
    sums: Rows,
    logits: FloatRows,
    scratch: IntRows,
    room: LongRows,
    opinions: FloatRows,
    searches: IntRows,
    moves: LongRows,
    saved: Rows,
    copies: Rows,
    chosen: Longs,
    reports: IntRows,
) -> None:
    """Search every game turn by turn, and write the best of its moves `options[offsets[game]:offsets[game + 1]]`.

    Of equally good moves the one listed first is taken.
    """
    game = first + thread.tid()
    lane = thread.tid() % scratch.shape[0]
    count = copy_game(states, offsets, options, copies, moves, game, lane)
    open_root(tables, searches[lane], copies[lane], rule, leaf, budget, width, root_width, most_turns, count)
    keep(copies, saved, searches, lane)
    begin_ratings(leaf, tables, copies[lane], network, biases, last_rated[lane], sums[lane])
    move = Long(go_on(searches, moves, saved, copies, lane))
    while move != Long(STOP):
        wants_moves = Int(1)
        if move == Long(PASS):
            pass_on(copies, searches, lane)
        else:
            ended = play(tables, copies, scratch, room, lane, move)
            assess(
                tables, copies, weights, network, top, layers, last_rated, sums, logits, opinions, searches, lane, ended
            )
            wants_moves = int(follow(tables, copies, searches, moves, lane, ended))
        if wants_moves == 1:
            keep(copies, saved, searches, lane)
            list_moves(tables, copies, scratch, room, searches, moves, lane)
        move = go_on(searches, moves, saved, copies, lane)
    write_result(searches, moves, chosen, reports, game, lane)
