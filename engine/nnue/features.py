"""The features of NNUE: binary and sparse, numbered for a board, and seen by each player in turn.

Seat 0 is the player from whose view the position is described, seat 1 the next, and so on. A board of C cells has these
features, whatever the number of players:

    0                               never set; its weights are zero
    1 + cell * 64 + seat * 16 + k   the cell holds, of that seat:
        k = 0 .. 13                 a stack: `stack_kind` of its height and cap
        k = 14                      a marker
        k = 15                      collapsed territory
    1 + C * 64 + (seat * 8 + g) * 32 + b
        g = 0 .. 5                  the seat's rings in hand, eliminated rings, territory, markers, stacks, rings on the
                                    board: in bucket b
        g = 6                       the seat has had b exclusive rounds in a row
        g = 7                       the seat is to move, and the turn is b = phase * 4 + owed * 2 + acted
    1 + C * 64 + 1024 + players - 2     the number of players

Each cell, each count of each player, the turn and the number of players is a **slot**: at most one of a slot's features
is set. So a sum over features has no more terms than there are slots (`slots`).

Stacks are told apart by height (1, 2, 3, 4 to 5, 6 and above) and by cap (1, 2, 3, 4 and above). A count has bucket 0
if it is zero, and 1 to 31 as it goes from one to its limit. The limit is the supply for rings in hand, stacks and rings
on the board, the number that wins for eliminated rings and territory, and half the cells for markers.
"""

from __future__ import annotations

from engine.backend.dialect import Int, Ints, Row, func
from engine.boards import board
from engine.features import SEATS
from engine.rules.stacks import height
from engine.rules.state import (
    ACTED,
    BLOCKED,
    HAND,
    OVER,
    OWED,
    PHASE,
    PLAYER,
    STACK,
    STREAK,
    STREAK_OWNER,
    cap,
    content,
    owner,
)
from engine.rules.tables import CELLS, MINIMUM, PLAYERS, RINGS, THRESHOLD

KINDS = 16
COUNTS = 8
BUCKETS = 32
FIELDS = 6
"""Counts that are fields of the record: four numbers each, one after the other, from that of rings in hand on."""

ROUNDS = 6
"""The count of exclusive rounds."""
TURN = 7
"""The turn, in place of a count."""

_MARKER = 14
_COLLAPSED = 15
_MOST_PLAYERS = 4


def feature_count(board_name: str) -> int:
    """Return the number of features of a board, feature 0 included."""
    cells = len(board(board_name).cells)
    return 1 + cells * SEATS * KINDS + SEATS * COUNTS * BUCKETS + _MOST_PLAYERS - 1


def slots(board_name: str, players: int) -> int:
    """Return the number of slots: no position has more features set from one view."""
    return len(board(board_name).cells) + players * (FIELDS + 1) + 2


@func
def stack_kind(tall: int, capped: int) -> int:
    """Return the kind of a stack of `tall` rings whose cap has `capped`: 0 .. 13."""
    base = Int(10)
    if tall <= 3:
        base = tall * (tall - 1) // 2
    elif tall <= 5:
        base = 6
    return base + min(capped, 4) - 1


@func
def piece(tables: Row, state: Row, cell: int) -> int:
    """Return what a cell holds, as 16 * player + kind, or 0 if it is empty."""
    here = content(state, cell)
    if here >= STACK:
        return owner(here) * KINDS + stack_kind(height(tables, state, cell), cap(here))
    if here >= BLOCKED:
        return owner(here) * KINDS + _COLLAPSED
    if here > 0:
        return owner(here) * KINDS + _MARKER
    return 0


@func
def seat_from(view: int, player: int, players: int) -> int:
    """Return the seat of a player, counted from the player whose view it is."""
    if player >= view:
        return player - view
    return player - view + players


@func
def cell_feature(cell: int, held: int, view: int, players: int) -> int:
    """Return the feature of a cell that holds such a piece, as a player sees it; 0 if the cell is empty."""
    if held == 0:
        return 0
    return 1 + (cell * SEATS + seat_from(view, held // KINDS, players)) * KINDS + held % KINDS


@func
def count_feature(tables: Row, seat: int, count: int, bucket: int) -> int:
    """Return the feature of a seat's count in a bucket."""
    return 1 + int(tables[CELLS]) * (SEATS * KINDS) + (seat * COUNTS + count) * BUCKETS + bucket


@func
def limit_of(tables: Row, count: int) -> int:
    """Return the limit of one of the `FIELDS` counts."""
    if count == 1:
        return int(tables[THRESHOLD])
    if count == 2:
        return int(tables[MINIMUM])
    if count == 3:
        return int(tables[CELLS]) // 2
    return int(tables[RINGS])


@func
def bucket_of(value: int, limit: int) -> int:
    """Return the bucket of a count, for a limit of at least 2: 0 for zero, 1 for one, 31 for the limit and above."""
    if value <= 0:
        return 0
    return min(1 + (value - 1) * (BUCKETS - 2) // (limit - 1), BUCKETS - 1)


@func
def field_bucket(tables: Row, state: Row, count: int, player: int) -> int:
    """Return the bucket of one of a player's `FIELDS` counts."""
    return bucket_of(int(state[HAND + 4 * count + player]), limit_of(tables, count))


@func
def rounds_bucket(state: Row, player: int) -> int:
    """Return the bucket of a player's exclusive rounds in a row."""
    if int(state[STREAK_OWNER]) == player:
        return min(int(state[STREAK]), BUCKETS - 1)
    return 0


@func
def turn_feature(tables: Row, state: Row, view: int) -> int:
    """Return the feature of the turn as a player sees it; 0 when the game is over."""
    if int(state[PHASE]) == OVER:
        return 0
    seat = seat_from(view, int(state[PLAYER]), int(tables[PLAYERS]))
    turn = int(state[PHASE]) * 4 + int(state[OWED]) * 2 + int(state[ACTED])
    return count_feature(tables, seat, TURN, turn)


@func
def players_feature(tables: Row) -> int:
    """Return the feature of the number of players."""
    return count_feature(tables, SEATS, 0, 0) + int(tables[PLAYERS]) - 2


@func
def write_features(tables: Row, state: Row, view: int, found: Ints, offset: int) -> None:
    """Write the features that are set as a player sees the position, slot after slot from `offset` on.

    A slot without one has 0. The order is that of the cells, then player after player seven counts, the turn, and the
    number of players.
    """
    players = int(tables[PLAYERS])
    place = Int(offset)
    for cell in range(int(tables[CELLS])):
        found[place] = cell_feature(cell, piece(tables, state, cell), view, players)
        place += 1
    for player in range(1, players + 1):
        seat = seat_from(view, player, players)
        for count in range(FIELDS):
            found[place] = count_feature(tables, seat, count, field_bucket(tables, state, count, player))
            place += 1
        found[place] = count_feature(tables, seat, ROUNDS, rounds_bucket(state, player))
        place += 1
    found[place] = turn_feature(tables, state, view)
    found[place + 1] = players_feature(tables)
