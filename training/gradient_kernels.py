"""The kernel of a training step, one thread a position: features, layers, losses, and the gradient of every weight.

It runs the steps of a program (`training.gradient_programs`), then their gradients in reverse order. All numbers of a
position are in the first half of one row of working memory, as in `training.inference_kernels`, and the gradient of the
number at p is at p + half. The gradients of the weights add up over the positions of a launch, in their order; so a
launch must run its threads one after the other.
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
    log,
    thread,
)
from engine.backend.matrices import (
    add_outer_products,
    add_products,
    add_rows,
    clear,
    peak_gradient,
    pool_gradient,
    rectify_gradient,
)
from engine.features import write_globals, write_planes
from engine.moves import Kind, move_a, move_b, move_kind
from training.inference_kernels import (
    EMBEDDING,
    HEADS,
    HEADS_WIDTH,
    INPUTS,
    KINDS,
    LANDING,
    LANDING_FIELD,
    OPERATION,
    ORIGIN,
    PEAK,
    POOL,
    PRODUCT,
    RECTIFY,
    ROWS,
    SOURCE,
    SPREAD,
    START,
    STRIDE,
    TABLE,
    TAPS,
    TARGET,
    WEIGHTS,
    WIDTH,
    WINNER,
    run_steps,
    score_move,
)

# Where else a network of a training has answers: `auxiliary`.
OWNERSHIP = 0  # the matrix with a row a cell: logits of its owner
OWNERSHIP_WIDTH = 1
OWNERS = 2  # columns of OWNERSHIP in use
MARGIN = 3
AUXILIARY = 4

# The losses of a position, in the order of `training.losses.losses`.
POLICY = 0
CHANCES = 1
TERRITORY = 2
MARGINS = 3
LOSSES = 4


@func
def run_gradients(
    steps: IntRows, indices: Ints, weights: Floats, back: Ints, memory: Floats, half: int, gradient: Floats
) -> None:
    """Run the gradients of all steps in reverse order.

    `back[i]` is the place of the weights with which step i takes the gradient of its inputs; -1 if nobody needs it.
    """
    for ahead in range(steps.shape[0]):
        i = steps.shape[0] - 1 - ahead
        operation = int(steps[i][OPERATION])
        source = int(steps[i][SOURCE])
        place = int(steps[i][WEIGHTS])
        target = int(steps[i][TARGET])
        rows = int(steps[i][ROWS])
        width = int(steps[i][WIDTH])
        changes = half + target
        if operation == START:
            add_rows(memory, changes, rows, width, gradient, place)
        elif operation == SPREAD:
            add_rows(memory, changes, rows, width, memory, half + source)
        elif operation == PRODUCT:
            stride = int(steps[i][STRIDE])
            inputs = int(steps[i][INPUTS])
            table = int(steps[i][TABLE])
            taps = int(steps[i][TAPS])
            add_outer_products(
                memory, source, stride, inputs, indices, table, taps, changes, rows, width, gradient, place
            )
            if int(back[i]) >= 0:
                at = int(back[i])
                add_products(
                    memory, changes, width, width, weights, at, indices, table, taps, half + source, rows, stride
                )
        elif operation == RECTIFY:
            rectify_gradient(memory, half + source, half + place, target, changes, rows, width)
        elif operation == POOL:
            pool_gradient(memory, source, rows, width, changes, half + source)
        elif operation == PEAK:
            peak_gradient(memory, source, rows, width, target, changes, half + source)


@func
def add_move_gradient(move: Long, change: Float, answers: Ints, fields: IntRows, memory: Floats, half: int) -> None:
    """Add the gradient of a move's score (`score_move`), times `change`."""
    kind = move_kind(move)
    heads = int(answers[HEADS])
    width = int(answers[HEADS_WIDTH])
    at = half + int(answers[KINDS]) + kind
    memory[at] = memory[at] + change
    landing = Int(-1)
    for field in range(3):
        role = Int(int(fields[kind][field]))
        cell = int((move >> Long(8 + 12 * field)) & Long(4095))
        if role >= 0:
            if kind == int(Kind.PR):
                role += move_b(move) - 1
            used = half + heads + cell * width + role
            memory[used] = memory[used] + change
        if int(fields[kind][LANDING_FIELD]) == field:
            landing = cell
    if landing >= 0:
        start = heads + move_a(move) * width + int(answers[ORIGIN])
        end = heads + landing * width + int(answers[LANDING])
        for i in range(int(answers[EMBEDDING])):
            memory[half + start + i] = memory[half + start + i] + change * memory[end + i]
            memory[half + end + i] = memory[half + end + i] + change * memory[start + i]


@func
def learn_moves(
    begin: int,
    end: int,
    moves: Longs,
    policy: Floats,
    weight: Float,
    answers: Ints,
    fields: IntRows,
    memory: Floats,
    half: int,
    logits: Floats,
) -> Float:
    """Return the cross-entropy of the moves' scores and the policy; write its gradient, times `weight`."""
    top = Float(-3.0e38)
    mass = Float(0.0)
    for i in range(begin, end):
        logits[i] = score_move(moves[i], answers, fields, memory)
        top = max(top, logits[i])
        mass += policy[i]
    total = Float(0.0)
    for i in range(begin, end):
        total += exp(logits[i] - top)
    level = top + log(total)
    loss = Float(0.0)
    for i in range(begin, end):
        loss += policy[i] * (level - logits[i])
        change = (exp(logits[i] - level) * mass - policy[i]) * weight
        add_move_gradient(moves[i], change, answers, fields, memory, half)
    return loss


@func
def learn_choice(first: int, count: int, chosen: int, weight: Float, memory: Floats, half: int) -> Float:
    """Return the cross-entropy of `count` logits and the one that is `chosen`; write its gradient, times `weight`."""
    top = Float(memory[first])
    for i in range(count):
        top = max(top, memory[first + i])
    total = Float(0.0)
    for i in range(count):
        power = exp(memory[first + i] - top)
        memory[half + first + i] = power
        total += power
    for i in range(count):
        memory[half + first + i] = memory[half + first + i] / total * weight
    memory[half + first + chosen] = memory[half + first + chosen] - weight
    return log(total) + top - memory[first + chosen]


@func
def learn_chances(first: int, chances: Floats, weight: Float, memory: Floats, half: int) -> Float:
    """Return the cross-entropy of the winner's logits and the chances; write its gradient, times `weight`."""
    top = Float(memory[first])
    mass = Float(0.0)
    for seat in range(chances.shape[0]):
        top = max(top, memory[first + seat])
        mass += chances[seat]
    total = Float(0.0)
    for seat in range(chances.shape[0]):
        total += exp(memory[first + seat] - top)
    level = top + log(total)
    loss = Float(0.0)
    for seat in range(chances.shape[0]):
        logit = Float(memory[first + seat])
        loss += chances[seat] * (level - logit)
        memory[half + first + seat] = (exp(logit - level) * mass - chances[seat]) * weight
    return loss


@func
def learn_margins(first: int, margins: Floats, weight: Float, memory: Floats, half: int) -> Float:
    """Return the smooth L1 loss of the margins; write its gradient, times `weight`."""
    loss = Float(0.0)
    for i in range(margins.shape[0]):
        error = memory[first + i] - margins[i]
        size = max(error, -error)
        if size < Float(1.0):
            loss += Float(0.5) * error * error
            memory[half + first + i] = error * weight
        else:
            loss += size - Float(0.5)
            memory[half + first + i] = error / size * weight
    return loss


@kernel
def learn_positions(
    first: int,
    tables: Row,
    grid: Ints,
    features: int,
    steps: IntRows,
    indices: Ints,
    weights: Floats,
    back: Ints,
    answers: Ints,
    auxiliary: Ints,
    fields: IntRows,
    half: int,
    memory: FloatRows,
    states: Rows,
    offsets: Ints,
    moves: Longs,
    policy: Floats,
    scales: FloatRows,
    chances: FloatRows,
    owners: IntRows,
    margins: FloatRows,
    logits: Floats,
    losses: FloatRows,
    gradient: Floats,
) -> None:
    """Write the losses of a position and add the gradient of their scaled sum to `gradient`, laid out like the weights.

    Args:
        half: numbers of working memory for the position; as many for their gradients follow.
        policy: the target of each legal move.
        scales: [positions, LOSSES]: the factor of each loss in the sum.
        owners: [positions, cells]: the final owner's seat + 1, or 0.
    """
    position = first + thread.tid()
    row = memory[thread.tid() % memory.shape[0]]
    clear(row, 0, features)
    clear(row, half, half)
    write_planes(tables, states[position], grid, 1, row)
    write_globals(tables, states[position], row)
    run_steps(steps, indices, weights, row)
    scale = scales[position]
    loss = losses[position]
    begin = int(offsets[position])
    end = int(offsets[position + 1])
    loss[POLICY] = learn_moves(begin, end, moves, policy, scale[POLICY], answers, fields, row, half, logits)
    loss[CHANCES] = learn_chances(int(answers[WINNER]), chances[position], scale[CHANCES], row, half)
    loss[TERRITORY] = Float(0.0)
    for cell in range(grid.shape[0]):
        at = int(auxiliary[OWNERSHIP]) + cell * int(auxiliary[OWNERSHIP_WIDTH])
        owner = int(owners[position][cell])
        loss[TERRITORY] = loss[TERRITORY] + learn_choice(at, int(auxiliary[OWNERS]), owner, scale[TERRITORY], row, half)
    loss[MARGINS] = learn_margins(int(auxiliary[MARGIN]), margins[position], scale[MARGINS], row, half)
    run_gradients(steps, indices, weights, back, row, half, gradient)
