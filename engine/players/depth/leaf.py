"""What a depth search thinks of a position: one value for each seat.

Only here does a search ask how good a position is. Another way to tell becomes another `kind`, with its own arrays. A
search needs this of it:

* The game is running; the result of one that is over counts more than any value.
* Values lie from -1 to 1, and equal positions have equal ones. Differences below 1 / `STEPS` count as none.
* Only the order of the values of one seat counts. Values of two seats are never compared.
* Where a search stops, somebody's turn begins. Moves are put in order by the values of positions within a turn, too.
"""

from __future__ import annotations

from engine.backend.dialect import Float, FloatRows, Floats, Row, Rows, func
from engine.backend.rows import copy_row
from engine.nnue.accumulator import chance, refresh, update, write_logits
from engine.players.heuristic_features import clear, describe_position, weighted_sum
from engine.rules.tables import PLAYERS

HEURISTIC = 0
"""The kind of leaf whose values are the heuristic's weighted sums, less the strongest opponent's."""

NNUE = 1
"""The kind of leaf whose values are twice the chances that an NNUE network gives, less 1."""

STEPS = 32768
"""Values become integers by this factor, so that a position and its mirror image, which sum up in another order, are
equal."""

_HALF = 8.0  # the lead in weighted sums that is worth 0.5


@func
def weigh_features(tables: Row, state: Row, weights: Floats, opinion: Floats) -> None:
    """Write the heuristic's values (`evaluate_leaf`)."""
    players = int(tables[PLAYERS])
    clear(opinion)
    describe_position(tables, state, opinion)
    for seat in range(players):  # a seat's features lie beyond the sums of those before it
        opinion[seat] = weighted_sum(opinion, weights, seat + 1)
    highest = Float(-1.0e30)
    second = Float(-1.0e30)
    for seat in range(players):
        second = max(second, min(highest, opinion[seat]))
        highest = max(highest, opinion[seat])
    for seat in range(players):
        lead = opinion[seat] - highest
        if opinion[seat] == highest:
            lead = opinion[seat] - second
        opinion[seat] = lead / (abs(lead) + Float(_HALF))


@func(inline=False)
def begin_ratings(kind: int, tables: Row, state: Row, network: Rows, biases: Row, last_rated: Row, sums: Row) -> None:
    """Compute the accumulators of the position in which a search begins, if its leaves are of kind NNUE."""
    if kind == NNUE:
        copy_row(state, last_rated)
        refresh(tables, state, network, biases, sums)


@func(inline=False)
def rate(
    tables: Row,
    state: Row,
    network: Rows,
    top: int,
    layers: FloatRows,
    last_rated: Row,
    sums: Row,
    logits: Floats,
    opinion: Floats,
) -> None:
    """Write the network's values (`evaluate_leaf`).

    Whichever position was rated last: siblings differ in a few cells more than parent and child, and so the search
    needs no accumulators for the positions on its way.
    """
    update(tables, last_rated, state, network, sums)
    copy_row(state, last_rated)
    write_logits(tables, sums, top, layers, logits)
    for seat in range(int(tables[PLAYERS])):
        opinion[seat] = Float(2.0) * chance(tables, logits, seat + 1) - Float(1.0)


@func
def evaluate_leaf(
    kind: int,
    tables: Row,
    state: Row,
    weights: Floats,
    network: Rows,
    top: int,
    layers: FloatRows,
    last_rated: Row,
    sums: Row,
    logits: Floats,
    opinion: Floats,
) -> None:
    """Write how good a running position is for each seat, from -1 to 1, to the beginning of `opinion`, seat 1 first.

    Args:
        kind: HEURISTIC or NNUE.
        weights: for HEURISTIC, the weight of each feature.
        network: for NNUE, the first layer's weights; `top` and `layers` are what else it has (`engine.nnue.network`).
        last_rated: for NNUE, the position that was rated last, or in which the search began.
        sums: for NNUE, the accumulators of that position (`engine.nnue.accumulator`).
        logits: for NNUE, room for the players' logits.
        opinion: as long as the features of all seats, which HEURISTIC writes there on the way.
    """
    if kind == NNUE:
        rate(tables, state, network, top, layers, last_rated, sums, logits, opinion)
    else:
        weigh_features(tables, state, weights, opinion)
