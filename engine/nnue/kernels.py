"""The kernels of NNUE: what runs once for each position or game."""

from __future__ import annotations

from engine.backend.dialect import FloatRows, IntRows, Ints, Row, Rows, kernel, thread
from engine.nnue.accumulator import refresh, update, write_logits
from engine.nnue.features import write_features
from engine.rules.tables import PLAYERS


@kernel
def list_features(first: int, tables: Row, states: Rows, found: IntRows) -> None:
    """Write the features of every position as each player sees it, one player after the other."""
    position = first + thread.tid()
    players = int(tables[PLAYERS])
    slots = found.shape[1] // players
    for view in range(1, players + 1):
        write_features(tables, states[position], view, found[position], (view - 1) * slots)


@kernel
def rate_positions(
    first: int,
    tables: Row,
    states: Rows,
    weights: Rows,
    biases: Row,
    top: int,
    layers: FloatRows,
    sums: Rows,
    logits: FloatRows,
) -> None:
    """Write the accumulators of every position, computed anew, and its logits."""
    position = first + thread.tid()
    refresh(tables, states[position], weights, biases, sums[position])
    write_logits(tables, sums[position], top, layers, logits[position])


@kernel
def rate_games(
    first: int,
    tables: Row,
    states: Rows,
    offsets: Ints,
    weights: Rows,
    biases: Row,
    top: int,
    layers: FloatRows,
    sums: Rows,
    logits: FloatRows,
) -> None:
    """Write the logits of successive positions of every game, from accumulators that are kept up to date.

    The positions of game i are states[offsets[i]:offsets[i + 1]]; `sums` gets the accumulators of its last one.
    """
    game = first + thread.tid()
    begin = int(offsets[game])
    end = int(offsets[game + 1])
    if begin == end:
        return
    refresh(tables, states[begin], weights, biases, sums[game])
    write_logits(tables, sums[game], top, layers, logits[begin])
    for place in range(begin + 1, end):
        update(tables, states[place - 1], states[place], weights, sums[game])
        write_logits(tables, sums[game], top, layers, logits[place])
