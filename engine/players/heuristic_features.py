"""What the heuristic player sees of a position, seat by seat.

The features of player p, float32, at `(p - 1) * FEATURES`:

    WON               1 if the player has won
    ELIMINATED_RINGS  eliminated rings credited / ring threshold
    TERRITORY_HELD    territory / territory minimum
    NEAR_WIN          the larger of the two, squared
    STACK_COUNT       stacks controlled / 8
    NO_STACK          1 without a stack
    ONE_STACK         1 with a single stack
    HEIGHTS           heights of the stacks, each counted in full up to 5 and as a tenth beyond, / 16
    CAPS              caps of the stacks / 16
    MARKER_COUNT      markers / 16
    RINGS_IN_HAND     rings in hand / supply
    RINGS_BURIED      own rings on the board that are not in the cap of an own stack / 16
    REACH             moves of the stacks without capturing / 64
    CAPTURES          captures of others' stacks, one for each line from a stack to a target, / 8
    EXPOSED           the same lines from others' stacks to own ones / 8
    MARKER_PAIRS      pairs of neighbouring own markers / 8
    MARKER_TRIPLES    three own markers in a row / 4
    CENTRE            how near the stacks are to the centre, 1 in the middle of the board and 0 at its edge, / 8
    STACK_PAIRS       pairs of neighbouring own stacks / 8
    EXCLUSIVE_ROUNDS  exclusive rounds in a row / 3
    STUCK             1 if no stack can move or capture

Neighbours and rows are along the axes of the board. Moves and captures are counted as if the player were to move in
phase M, with every stack.
"""

from __future__ import annotations

from engine.backend.dialect import Float, Floats, Int, Row, func
from engine.rules.movement import ANY_DISTANCE, free_run
from engine.rules.stacks import height
from engine.rules.state import (
    BLOCKED,
    ELIMINATED,
    EMPTY,
    HAND,
    MARKERS,
    ONBOARD,
    STACK,
    STACKS,
    STREAK,
    STREAK_OWNER,
    TERRITORY,
    cap,
    content,
    owner,
    winner,
)
from engine.rules.tables import AXES, CELLS, DIRECTIONS, MINIMUM, PLAYERS, RINGS, SIDE, SLANT, THRESHOLD, XS, YS, step

WON = 0
ELIMINATED_RINGS = 1
TERRITORY_HELD = 2
NEAR_WIN = 3
STACK_COUNT = 4
NO_STACK = 5
ONE_STACK = 6
HEIGHTS = 7
CAPS = 8
MARKER_COUNT = 9
RINGS_IN_HAND = 10
RINGS_BURIED = 11
REACH = 12
CAPTURES = 13
EXPOSED = 14
MARKER_PAIRS = 15
MARKER_TRIPLES = 16
CENTRE = 17
STACK_PAIRS = 18
EXCLUSIVE_ROUNDS = 19
STUCK = 20
FEATURES = 21


@func
def clear(features: Floats) -> None:
    """Write zeros."""
    for place in range(features.shape[0]):
        features[place] = Float(0.0)


@func
def put(features: Floats, player: int, feature: int, value: Float) -> None:
    """Write a feature of a player."""
    features[(player - 1) * FEATURES + feature] = value


@func
def add_to(features: Floats, player: int, feature: int, amount: Float) -> None:
    """Add to a feature of a player."""
    at = (player - 1) * FEATURES + feature
    features[at] = features[at] + amount


@func
def nearness(tables: Row, cell: int) -> Float:
    """Return how near a cell is to the centre: 1 in the middle of the board, 0 at its edge."""
    span = int(tables[SIDE]) - 1  # distances are doubled, as boards with an even side have no middle cell
    x = 2 * int(tables[int(tables[XS]) + cell]) - span
    y = 2 * int(tables[int(tables[YS]) + cell]) - span
    distance = max(abs(x), abs(y))
    if int(tables[SLANT]) == 1:
        distance = max(distance, abs(x + y))
    return Float(1.0) - Float(distance) / Float(span)


@func
def describe_lines(tables: Row, state: Row, cell: int, features: Floats) -> None:
    """Add the moves and captures of the stack on a cell."""
    here = content(state, cell)
    player = owner(here)
    tall = height(tables, state, cell)
    moves = Int(0)
    is_stuck = Int(1)
    for direction in range(int(tables[DIRECTIONS])):
        run, target = free_run(tables, state, cell, direction, ANY_DISTANCE)
        if run >= tall:
            moves += run - tall + 1
            is_stuck = Int(0)
        facing = content(state, target)
        if facing >= STACK and cap(facing) <= cap(here):
            wanted = max(tall - run - 1, 1)
            beyond, _ = free_run(tables, state, target, direction, wanted)
            if beyond == wanted:
                is_stuck = Int(0)
                if owner(facing) != player:
                    add_to(features, player, CAPTURES, Float(0.125))
                    add_to(features, owner(facing), EXPOSED, Float(0.125))
    add_to(features, player, REACH, Float(moves) * Float(0.015625))
    if is_stuck == 0:
        put(features, player, STUCK, Float(0.0))


@func
def describe_stack(tables: Row, state: Row, cell: int, features: Floats) -> None:
    """Add what the stack on a cell contributes."""
    here = content(state, cell)
    player = owner(here)
    tall = height(tables, state, cell)
    low = min(tall, 5)
    add_to(features, player, HEIGHTS, (Float(low) + Float(tall - low) * Float(0.1)) * Float(0.0625))
    add_to(features, player, CAPS, Float(cap(here)) * Float(0.0625))
    add_to(features, player, RINGS_BURIED, Float(-cap(here)) * Float(0.0625))
    add_to(features, player, CENTRE, nearness(tables, cell) * Float(0.125))
    for axis in range(int(tables[AXES])):
        beside = content(state, step(tables, cell, axis))
        if beside >= STACK and owner(beside) == player:
            add_to(features, player, STACK_PAIRS, Float(0.125))
    describe_lines(tables, state, cell, features)


@func
def describe_marker(tables: Row, state: Row, cell: int, features: Floats) -> None:
    """Add the pairs and triples that begin with the marker on a cell."""
    player = content(state, cell)
    for axis in range(int(tables[AXES])):
        second = step(tables, cell, axis)
        if content(state, second) == player:
            add_to(features, player, MARKER_PAIRS, Float(0.125))
            if content(state, step(tables, second, axis)) == player:
                add_to(features, player, MARKER_TRIPLES, Float(0.25))


@func
def describe_seat(tables: Row, state: Row, player: int, features: Floats) -> None:
    """Write what does not depend on single cells, and what `describe_stack` counts down from."""
    eliminated = Float(int(state[ELIMINATED + player])) / Float(int(tables[THRESHOLD]))
    territory = Float(int(state[TERRITORY + player])) / Float(int(tables[MINIMUM]))
    near = max(eliminated, territory)
    stacks = int(state[STACKS + player])
    if winner(state) == player:
        put(features, player, WON, Float(1.0))
    put(features, player, ELIMINATED_RINGS, eliminated)
    put(features, player, TERRITORY_HELD, territory)
    put(features, player, NEAR_WIN, near * near)
    put(features, player, STACK_COUNT, Float(stacks) * Float(0.125))
    if stacks == 0:
        put(features, player, NO_STACK, Float(1.0))
    if stacks == 1:
        put(features, player, ONE_STACK, Float(1.0))
    put(features, player, MARKER_COUNT, Float(int(state[MARKERS + player])) * Float(0.0625))
    put(features, player, RINGS_IN_HAND, Float(int(state[HAND + player])) / Float(int(tables[RINGS])))
    put(features, player, RINGS_BURIED, Float(int(state[ONBOARD + player])) * Float(0.0625))
    if int(state[STREAK_OWNER]) == player:
        put(features, player, EXCLUSIVE_ROUNDS, Float(int(state[STREAK])) / Float(3.0))
    put(features, player, STUCK, Float(1.0))


@func
def describe_position(tables: Row, state: Row, features: Floats) -> None:
    """Write the features of all players over zeros."""
    for player in range(1, int(tables[PLAYERS]) + 1):
        describe_seat(tables, state, player, features)
    for cell in range(int(tables[CELLS])):
        here = content(state, cell)
        if here >= STACK:
            describe_stack(tables, state, cell, features)
        elif here > EMPTY and here < BLOCKED:
            describe_marker(tables, state, cell, features)


@func
def weighted_sum(features: Floats, weights: Floats, player: int) -> Float:
    """Return the sum of a player's features, each times its weight."""
    total = Float(0.0)
    for feature in range(FEATURES):
        total += features[(player - 1) * FEATURES + feature] * weights[feature]
    return total


@func
def advantage(tables: Row, features: Floats, weights: Floats, player: int) -> Float:
    """Return the weighted sum of a player, less the greatest of the others'."""
    greatest = Float(-1.0e30)
    for other in range(1, int(tables[PLAYERS]) + 1):
        if other != player:
            greatest = max(greatest, weighted_sum(features, weights, other))
    return weighted_sum(features, weights, player) - greatest
