"""The kernels that run a network on positions, one thread a position: features, layers, scores of moves, values.

A network is a list of steps (`training.programs`), each a layer or a part of one. All numbers of a position are in one
row of working memory: its scalars at 0, the planes by cell, then what the steps write. So a position's answer does not
depend on the batch.
"""

from __future__ import annotations

from engine.backend.dialect import (
    Float,
    FloatRows,
    Floats,
    Int,
    IntRows,
    Ints,
    Long,
    Longs,
    Row,
    Rows,
    exp,
    func,
    kernel,
    thread,
)
from engine.backend.matrices import add_products, clear, find_peaks, pool_rows, rectify, set_rows
from engine.features import write_globals, write_planes
from engine.moves import Kind, move_a, move_b, move_kind
from engine.search.nodes import COUNT, FIRST, FRESH, LEAF, LOGIT

# Operations, in column OPERATION of a step; the other columns are places in memory and sizes, as far as it needs them.
START = 0  # rows := a row of the weights
SPREAD = 1  # rows := a vector in memory
PRODUCT = 2  # rows += gathered rows of the source x weights
RECTIFY = 3  # rows := max(0, source + vector)
POOL = 4  # vector := mean of max(0, source) over the rows
PEAK = 5  # vector := greatest of 0 and the source over the rows

OPERATION = 0
SOURCE = 1
STRIDE = 2
INPUTS = 3
WEIGHTS = 4  # the place in the weights; for RECTIFY, of the vector in memory
TABLE = 5
TAPS = 6
TARGET = 7
ROWS = 8
WIDTH = 9
COLUMNS = 10

# Where the answers are in memory: `answers`.
HEADS = 0  # the matrix with a row a cell: scores of roles, then the embeddings of origin and landing
HEADS_WIDTH = 1
ORIGIN = 2  # column of HEADS
LANDING = 3  # column of HEADS
EMBEDDING = 4  # numbers of an embedding
KINDS = 5
WINNER = 6
ANSWERS = 7

# The columns of `fields`, a row a kind of move: the role of each of its three fields, or -1, and the field that is the
# landing of a move from cell to cell, or -1.
LANDING_FIELD = 3
FIELDS = 4


@func
def run_steps(steps: IntRows, indices: Ints, weights: Floats, memory: Floats) -> None:
    """Run all steps of a network on the features in memory."""
    for i in range(steps.shape[0]):
        operation = int(steps[i][OPERATION])
        source = int(steps[i][SOURCE])
        place = int(steps[i][WEIGHTS])
        target = int(steps[i][TARGET])
        rows = int(steps[i][ROWS])
        width = int(steps[i][WIDTH])
        if operation == START:
            set_rows(weights, place, memory, target, rows, width)
        elif operation == SPREAD:
            set_rows(memory, source, memory, target, rows, width)
        elif operation == PRODUCT:
            stride = int(steps[i][STRIDE])
            inputs = int(steps[i][INPUTS])
            table = int(steps[i][TABLE])
            taps = int(steps[i][TAPS])
            add_products(memory, source, stride, inputs, weights, place, indices, table, taps, target, rows, width)
        elif operation == RECTIFY:
            rectify(memory, source, place, target, rows, width)
        elif operation == POOL:
            pool_rows(memory, source, rows, width, target)
        elif operation == PEAK:
            find_peaks(memory, source, rows, width, target)


@func
def score_move(move: Long, answers: Ints, fields: IntRows, memory: Floats) -> Float:
    """Return a move's score: the numbers of its kind and its cells, and the product of its ends' embeddings."""
    kind = move_kind(move)
    heads = int(answers[HEADS])
    width = int(answers[HEADS_WIDTH])
    score = Float(memory[int(answers[KINDS]) + kind])
    landing = Int(-1)
    for field in range(3):
        role = Int(int(fields[kind][field]))
        cell = int((move >> Long(8 + 12 * field)) & Long(4095))
        if role >= 0:
            if kind == int(Kind.PR):
                role += move_b(move) - 1
            score += memory[heads + cell * width + role]
        if int(fields[kind][LANDING_FIELD]) == field:
            landing = cell
    if landing >= 0:
        start = heads + move_a(move) * width + int(answers[ORIGIN])
        end = heads + landing * width + int(answers[LANDING])
        for i in range(int(answers[EMBEDDING])):
            score += memory[start + i] * memory[end + i]
    return score


@func
def write_values(first: int, memory: Floats, values: Floats) -> None:
    """Write the value of each seat: its chance to win, moved so that even chances are 0 and a sure win is 1."""
    players = int(values.shape[0])
    top = Float(memory[first])
    for seat in range(players):
        top = max(top, memory[first + seat])
    mass = Float(0.0)
    for seat in range(players):
        power = exp(memory[first + seat] - top)
        values[seat] = power
        mass += power
    for seat in range(players):
        values[seat] = (values[seat] / mass * Float(players) - Float(1.0)) / Float(players - 1)


@kernel
def evaluate_positions(
    first: int,
    tables: Row,
    grid: Ints,
    features: int,
    steps: IntRows,
    indices: Ints,
    weights: Floats,
    answers: Ints,
    fields: IntRows,
    memory: FloatRows,
    states: Rows,
    offsets: Ints,
    moves: Longs,
    logits: Floats,
    values: FloatRows,
) -> None:
    """Write the logit of every legal move of a position, and its values. The features take `features` numbers."""
    position = first + thread.tid()
    row = memory[thread.tid() % memory.shape[0]]
    clear(row, 0, features)
    write_planes(tables, states[position], grid, 1, row)
    write_globals(tables, states[position], row)
    run_steps(steps, indices, weights, row)
    for i in range(int(offsets[position]), int(offsets[position + 1])):
        logits[i] = score_move(moves[i], answers, fields, row)
    write_values(int(answers[WINNER]), row, values[position])


@kernel
def evaluate_leaves(
    first: int,
    tables: Row,
    grid: Ints,
    features: int,
    steps: IntRows,
    indices: Ints,
    weights: Floats,
    answers: Ints,
    fields: IntRows,
    memory: FloatRows,
    states: Rows,
    leaves: IntRows,
    nodes: IntRows,
    moves: Longs,
    stats: FloatRows,
    values: FloatRows,
) -> None:
    """Do as `evaluate_positions` for the new leaf of every game of a search on a device, in the search's arrays."""
    game = first + thread.tid()
    if int(leaves[game][FRESH]) == 0:
        return
    leaf = int(leaves[game][LEAF])
    row = memory[thread.tid() % memory.shape[0]]
    clear(row, 0, features)
    write_planes(tables, states[leaf], grid, 1, row)
    write_globals(tables, states[leaf], row)
    run_steps(steps, indices, weights, row)
    start = int(nodes[leaf][FIRST])
    for edge in range(start, start + int(nodes[leaf][COUNT])):
        stats[edge][LOGIT] = score_move(moves[edge], answers, fields, row)
    write_values(int(answers[WINNER]), row, values[game])


@kernel
def run_network(first: int, steps: IntRows, indices: Ints, weights: Floats, memory: FloatRows) -> None:
    """Run the steps alone, on whatever features are in memory: the cost of a network without all else."""
    run_steps(steps, indices, weights, memory[thread.tid() % memory.shape[0]])
