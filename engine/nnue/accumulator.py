"""Accumulators: for each player the sum of the first layer's rows over the features that are set as they see it.

A position's accumulators are one int16 row: those of player p from `(p - 1) * width` on, for a first layer of `width`
units. They are computed anew (`refresh`), or brought from the position before a move to the one after it (`update`).
Both give the same bits. `write_chances` turns them into each player's chance to win.

`weights` is int16[features, width], with row 0 zero; `biases` int16[width]; `top` the sum at which a unit is full;
`layers` what `engine.backend.rows.apply_layers` takes.
"""

from __future__ import annotations

from engine.backend.dialect import Float, FloatRows, Floats, Int, Row, Rows, exp, func
from engine.backend.rows import apply_layers, next_difference, replace_row
from engine.nnue.features import (
    FIELDS,
    ROUNDS,
    cell_feature,
    count_feature,
    field_bucket,
    piece,
    players_feature,
    rounds_bucket,
    seat_from,
    turn_feature,
)
from engine.rules.state import ACTED, BOARD, HAND, OWED, PHASE, PLAYER, STREAK, STREAK_OWNER
from engine.rules.tables import CELLS, HEIGHT, PLAYERS

_FIRST_FIELD = HAND + 1
_LAST_FIELD = HAND + 4 * FIELDS


@func
def replace_piece(cell: int, old: int, fresh: int, players: int, weights: Rows, sums: Row) -> None:
    """Replace a cell's piece in the accumulators of every player."""
    for view in range(1, players + 1):
        gone = cell_feature(cell, old, view, players)
        come = cell_feature(cell, fresh, view, players)
        replace_row(sums, (view - 1) * weights.shape[1], weights, gone, come)


@func
def replace_count(tables: Row, player: int, count: int, old: int, fresh: int, weights: Rows, sums: Row) -> None:
    """Replace the bucket of a player's count in the accumulators of every player."""
    players = int(tables[PLAYERS])
    for view in range(1, players + 1):
        base = count_feature(tables, seat_from(view, player, players), count, 0)
        replace_row(sums, (view - 1) * weights.shape[1], weights, base + old, base + fresh)


@func
def add_count(tables: Row, player: int, count: int, bucket: int, weights: Rows, sums: Row) -> None:
    """Add the bucket of a player's count to the accumulators of every player."""
    players = int(tables[PLAYERS])
    for view in range(1, players + 1):
        feature = count_feature(tables, seat_from(view, player, players), count, bucket)
        replace_row(sums, (view - 1) * weights.shape[1], weights, 0, feature)


@func(inline=False)
def refresh(tables: Row, state: Row, weights: Rows, biases: Row, sums: Row) -> None:
    """Write the accumulators of a position."""
    width = weights.shape[1]
    players = int(tables[PLAYERS])
    for view in range(1, players + 1):
        offset = (view - 1) * width
        for place in range(width):
            sums[offset + place] = biases[place]
        replace_row(sums, offset, weights, 0, players_feature(tables))
        replace_row(sums, offset, weights, 0, turn_feature(tables, state, view))
    for cell in range(int(tables[CELLS])):
        held = piece(tables, state, cell)
        if held > 0:
            replace_piece(cell, 0, held, players, weights, sums)
    for player in range(1, players + 1):
        for count in range(FIELDS):
            add_count(tables, player, count, field_bucket(tables, state, count, player), weights, sums)
        add_count(tables, player, ROUNDS, rounds_bucket(state, player), weights, sums)


@func
def update_cells(tables: Row, before: Row, after: Row, begin: int, weights: Rows, sums: Row) -> None:
    """Take in the cells whose numbers, from `begin` on in both records, differ."""
    end = begin + int(tables[CELLS])
    at = Int(next_difference(before, after, begin, end))
    while at < end:
        cell = at - begin
        old = piece(tables, before, cell)
        fresh = piece(tables, after, cell)
        # where the contents differ, the cell has been taken in when the contents were compared
        if old != fresh and (begin == BOARD or before[BOARD + cell] == after[BOARD + cell]):
            replace_piece(cell, old, fresh, int(tables[PLAYERS]), weights, sums)
        at = next_difference(before, after, at + 1, end)


@func
def update_counts(tables: Row, before: Row, after: Row, weights: Rows, sums: Row) -> None:
    """Take in the counts that differ."""
    at = Int(next_difference(before, after, _FIRST_FIELD, _LAST_FIELD + 1))
    while at <= _LAST_FIELD:
        count = (at - _FIRST_FIELD) // 4
        player = (at - _FIRST_FIELD) % 4 + 1
        old = field_bucket(tables, before, count, player)
        fresh = field_bucket(tables, after, count, player)
        if old != fresh:
            replace_count(tables, player, count, old, fresh, weights, sums)
        at = next_difference(before, after, at + 1, _LAST_FIELD + 1)
    if before[STREAK] != after[STREAK] or before[STREAK_OWNER] != after[STREAK_OWNER]:
        for player in range(1, int(tables[PLAYERS]) + 1):
            was = rounds_bucket(before, player)
            now = rounds_bucket(after, player)
            if was != now:
                replace_count(tables, player, ROUNDS, was, now, weights, sums)


@func
def same_turn(before: Row, after: Row) -> bool:
    """Return whether two positions have the same turn feature."""
    return (
        before[PHASE] == after[PHASE]
        and before[PLAYER] == after[PLAYER]
        and before[OWED] == after[OWED]
        and before[ACTED] == after[ACTED]
    )


@func(inline=False)
def update(tables: Row, before: Row, after: Row, weights: Rows, sums: Row) -> None:
    """Bring the accumulators of one position to another one of the same game."""
    update_cells(tables, before, after, BOARD, weights, sums)
    update_cells(tables, before, after, int(tables[HEIGHT]), weights, sums)
    update_counts(tables, before, after, weights, sums)
    if not same_turn(before, after):
        for view in range(1, int(tables[PLAYERS]) + 1):
            old = turn_feature(tables, before, view)
            fresh = turn_feature(tables, after, view)
            replace_row(sums, (view - 1) * weights.shape[1], weights, old, fresh)


@func(inline=False)
def write_logits(tables: Row, sums: Row, top: int, layers: FloatRows, logits: Floats) -> None:
    """Write the logit of each player's chance to win."""
    width = int(layers.shape[0]) - 3
    for player in range(int(tables[PLAYERS])):
        logits[player] = apply_layers(sums, player * width, top, layers)


@func
def chance(tables: Row, logits: Floats, player: int) -> Float:
    """Return a player's chance to win, from the logits of all."""
    total = Float(0.0)
    for other in range(int(tables[PLAYERS])):
        total = total + exp(logits[other] - logits[player - 1])
    return Float(1.0) / total
