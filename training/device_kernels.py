"""The kernels around a network that runs on a device: features of the leaves before it, scores of moves after it."""

from __future__ import annotations

from engine.backend.dialect import FloatRows, Int, IntRows, Ints, Longs, Row, Rows, kernel, thread
from engine.features import write_globals, write_planes
from engine.search.nodes import COUNT, FIRST, FRESH, LEAF, LOGIT
from training.inference_kernels import score_move

LANES = 32
"""Threads that share the moves of a leaf."""


@kernel
def describe_leaves(
    first: int,
    tables: Row,
    states: Rows,
    leaves: IntRows,
    grid: Ints,
    side: int,
    planes: FloatRows,
    scalars: FloatRows,
) -> None:
    """Write the features of every game's new leaf over zeros; those of games without one stay zero."""
    game = first + thread.tid()
    if int(leaves[game][FRESH]) > 0:
        leaf = int(leaves[game][LEAF])
        write_planes(tables, states[leaf], grid, side * side, planes[game])
        write_globals(tables, states[leaf], scalars[game])


@kernel
def score_leaves(
    first: int,
    answers: Ints,
    fields: IntRows,
    heads: FloatRows,
    leaves: IntRows,
    nodes: IntRows,
    moves: Longs,
    stats: FloatRows,
) -> None:
    """Write the logit of every move of every new leaf, with `LANES` threads a game, from the game's row of `heads`."""
    index = first + thread.tid()
    game = index // LANES
    if int(leaves[game][FRESH]) > 0:
        leaf = int(leaves[game][LEAF])
        place = Int(index % LANES)
        while place < int(nodes[leaf][COUNT]):
            edge = int(nodes[leaf][FIRST]) + place
            stats[edge][LOGIT] = score_move(moves[edge], answers, fields, heads[game])
            place += LANES
