"""What the heuristic player sees of a position, seat by seat.

Features of player p, float32, at `(p - 1) * FEATURES`:

    0   1 if the player has won
    1   eliminated rings credited / threshold
    2   territory / territory minimum
    3   the larger of the two, squared: how near the player is to winning
    4   stacks controlled / 8
    5   1 without a stack
    6   1 with a single stack
    7   heights of the stacks, each counted up to 5 and a tenth beyond, / 16
    8   caps of the stacks / 16
    9   markers / 16
    10  rings in hand / supply
    11  rings on the board that are not in an own cap, / 16
    12  cells that the stacks can reach, / 64
    13  captures of others' stacks / 8
    14  own stacks that another's stack can capture, counted once for each attacker, / 8
    15  pairs of neighbouring own markers / 8
    16  three own markers in a row / 4
    17  stacks near the centre: 1 at the centre, 0 at the edge, / 8
    18  pairs of neighbouring own stacks / 8
    19  exclusive rounds in a row / 3
    20  1 if no stack can move or capture
"""

from __future__ import annotations

from engine.backend.dialect import Float, Floats, Int, Row, func
from engine.rules.movement import free_run
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
    WINNER,
    cap,
    content,
    owner,
)
from engine.rules.tables import AXES, CELLS, DIRECTIONS, MINIMUM, PLAYERS, RINGS, SIDE, THRESHOLD, XS, YS, step

FEATURES = 21


@func
def add_to(features: Floats, player: int, feature: int, amount: Float) -> None:
    """Add to a feature of a player."""
    at = (player - 1) * 21 + feature
    features[at] = features[at] + amount


@func
def nearness(tables: Row, cell: int) -> Float:
    """Return how near a cell is to the centre: 1 there, 0 at the edge."""
    middle = int(tables[SIDE]) - 1  # twice the middle of 0 .. side - 1
    x = abs(2 * int(tables[int(tables[XS]) + cell]) - middle)
    y = abs(2 * int(tables[int(tables[YS]) + cell]) - middle)
    return Float(1.0) - Float(max(x, y)) / Float(middle)


@func
def describe_stack(tables: Row, state: Row, cell: int, features: Floats) -> None:
    """Add what the stack on a cell contributes."""
    here = content(state, cell)
    player = owner(here)
    tall = height(tables, state, cell)
    strength = cap(here)
    eighth = Float(0.125)
    sixteenth = Float(0.0625)
    low = min(tall, 5)
    add_to(features, player, 7, (Float(low) + Float(tall - low) * Float(0.1)) * sixteenth)
    add_to(features, player, 8, Float(strength) * sixteenth)
    add_to(features, player, 11, Float(-strength) * sixteenth)
    add_to(features, player, 17, nearness(tables, cell) * eighth)
    reached = Int(0)
    can_act = Int(0)
    for direction in range(int(tables[DIRECTIONS])):
        run, target = free_run(tables, state, cell, direction, 64)
        reached += max(0, run - tall + 1)
        if run >= tall:
            can_act = Int(1)
        facing = content(state, target)
        if facing >= STACK and cap(facing) <= strength:
            beyond, _ = free_run(tables, state, target, direction, max(tall - run - 1, 1))
            if beyond >= max(tall - run - 1, 1):
                can_act = Int(1)
                if owner(facing) != player:
                    add_to(features, player, 13, eighth)
                    add_to(features, owner(facing), 14, eighth)
    add_to(features, player, 12, Float(reached) * Float(0.015625))
    if can_act > 0:
        features[(player - 1) * 21 + 20] = Float(0.0)
    for axis in range(int(tables[AXES])):
        beside = content(state, step(tables, cell, axis))
        if beside >= STACK and owner(beside) == player:
            add_to(features, player, 18, eighth)


@func
def describe_marker(tables: Row, state: Row, cell: int, features: Floats) -> None:
    """Add the pairs and triples that begin with the marker on a cell."""
    player = content(state, cell)
    for axis in range(int(tables[AXES])):
        second = step(tables, cell, axis)
        if content(state, second) == player:
            add_to(features, player, 15, Float(0.125))
            if content(state, step(tables, second, axis)) == player:
                add_to(features, player, 16, Float(0.25))


@func
def describe_score(tables: Row, state: Row, player: int, features: Floats) -> None:
    """Write what does not depend on single cells."""
    base = (player - 1) * 21
    if int(state[WINNER]) == player:
        features[base] = Float(1.0)
    eliminated = Float(int(state[ELIMINATED + player])) / Float(int(tables[THRESHOLD]))
    territory = Float(int(state[TERRITORY + player])) / Float(int(tables[MINIMUM]))
    near = max(eliminated, territory)
    features[base + 1] = eliminated
    features[base + 2] = territory
    features[base + 3] = near * near
    features[base + 4] = Float(int(state[STACKS + player])) * Float(0.125)
    if int(state[STACKS + player]) == 0:
        features[base + 5] = Float(1.0)
    if int(state[STACKS + player]) == 1:
        features[base + 6] = Float(1.0)
    features[base + 9] = Float(int(state[MARKERS + player])) * Float(0.0625)
    features[base + 10] = Float(int(state[HAND + player])) / Float(int(tables[RINGS]))
    features[base + 11] = Float(int(state[ONBOARD + player])) * Float(0.0625)
    if int(state[STREAK_OWNER]) == player:
        features[base + 19] = Float(int(state[STREAK])) / Float(3.0)
    features[base + 20] = Float(1.0)


@func
def describe_position(tables: Row, state: Row, features: Floats) -> None:
    """Write the features of all players over zeros."""
    for player in range(1, int(tables[PLAYERS]) + 1):
        describe_score(tables, state, player, features)
    for cell in range(int(tables[CELLS])):
        here = content(state, cell)
        if here >= STACK:
            describe_stack(tables, state, cell, features)
        elif here > EMPTY and here < BLOCKED:
            describe_marker(tables, state, cell, features)
