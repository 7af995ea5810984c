"""What a depth search thinks of a position: one value for each seat.

Only here does a search ask how good a position is. Another way to tell becomes another `kind`, with its own arrays. A
search needs this of it:

* The game is running; the result of one that is over counts more than any value.
* Values lie from -1 to 1, and equal positions have equal ones. Differences below 1 / `STEPS` count as none.
* Only the order of the values of one seat counts. Values of two seats are never compared.
* Where a search stops, somebody's turn begins. Moves are put in order by the values of positions within a turn, too.
"""

from __future__ import annotations

from engine.backend.dialect import Float, Floats, Row, func
from engine.players.heuristic_features import clear, describe_position, weighted_sum
from engine.rules.tables import PLAYERS

HEURISTIC = 0
"""The kind of leaf whose values are the heuristic's weighted sums, less the strongest opponent's."""

STEPS = 32768
"""Values become integers by this factor, so that a position and its mirror image, which sum up in another order, are
equal."""

_HALF = 8.0  # the lead in weighted sums that is worth 0.5


@func
def evaluate_leaf(kind: int, tables: Row, state: Row, weights: Floats, opinion: Floats) -> None:
    """Write how good a running position is for each seat, from -1 to 1, to the beginning of `opinion`, seat 1 first.

    Args:
        kind: HEURISTIC.
        weights: the weight of each feature.
        opinion: as long as the features of all seats, which are written there on the way.
    """
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
