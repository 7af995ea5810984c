"""The stack of a depth search: a frame for each position on the path from the root, with the best moves from there.

A row of integers begins with the search's own numbers (RULE ... JUDGED). From FRAMES on follows a frame for each level,
and from CHILDREN on the children, `MOST_WIDTH` slots a level, the best child of a level first. A row of moves has the
move to the child in each slot, and from LISTED on the moves that are being tried.

Values are those of the seats one after the other, as `engine.players.depth.leaf` gives them, times `STEPS`. The result
of a game is beyond them, and higher the sooner a win and the later a loss comes. What a player seeks is its *key*, the
higher the better: in max^n its own value, else the root player's value or, for all others, minus that value. With two
players both come to the same.
"""

from __future__ import annotations

from enum import IntEnum

from engine.backend.dialect import Int, Ints, Long, Longs, func


class Rule(IntEnum):
    """What a search assumes of the players."""

    PARANOID = 0
    """All others play against the player who asks; with two players this is alpha-beta."""
    MAX_N = 1
    """Everybody plays for themselves."""
    BEST_REPLY = 2
    """One opponent at a time answers, the one who hurts most; the others play on as the heuristic would."""


# Numbers of the search.
RULE = 0
ROOT = 1  # the player who asks
LEAF_KIND = 2
BUDGET = 3  # moves to try
TRIED = 4  # moves tried
WIDTH = 5  # children kept of a node
ROOT_WIDTH = 6  # children kept of the root
LIMIT = 7  # turns after which this iteration stops
MOST_TURNS = 8  # the greatest limit
TASK = 9  # what moves are tried for (`engine.players.depth.search`)
STAND_IN = 10  # whose turn the heuristic plays in this visit
LEVEL = 11  # of the node that is opened, or whose child is visited
SOURCE = 12  # the level under which the position is saved from which moves are tried
ENDINGS = 13  # turns that have ended since the root, in that position
MOVER = 14  # whose moves are tried
TOTAL = 15  # moves listed
PLACE = 16  # those of them that have been tried
GREATEST = 17  # greedy: the best value so far ...
GREEDIEST = 18  # ... and the place of its move
JUDGED = 19  # the values of the position that was evaluated last, by seat; beyond the last seat, anything
FRAMES = 23

# Numbers of a frame.
PLAYER = 0  # who chooses here
TURNS = 1  # turns that have ended since the root
MAY_PASS = 2  # best reply: 1 if the player may leave the reply to others
COUNT = 3  # children
NEXT = 4  # the child to visit next
LOW = 5  # the root's player has this for certain
HIGH = 6  # the others can hold the root's player down to this
BEST = 7  # the best child so far, or -1
VALUE = 8  # its values by seat
FRAME = 12

# Numbers of a child.
KEY = 0  # what its values are worth to the player who chooses
AFTER = 1  # turns that have ended since the root, or ENDED if the game is over
WORTH = 2  # its values by seat, without search
CHILD = 6

SEATS = 4
MOST_WIDTH = 32
LEVELS = 40
"""Choices in a row that a search looks ahead at most."""
CHILDREN = FRAMES + LEVELS * FRAME
SLOTS = (LEVELS + 1) * MOST_WIDTH
"""Slots of children; those of the last level are spare."""
LENGTH = CHILDREN + SLOTS * CHILD
"""Integers of a search."""
LISTED = SLOTS
"""Where the moves that are being tried begin, in the row of moves."""

ENDED = 1 << 20
WIN = 1 << 24
"""The value of a win at once; each turn that it takes costs 1."""
DECIDED = 1 << 23
"""Values from here on are results of games."""
BEYOND = 1 << 28
"""Above all values."""


@func
def frame_of(level: int) -> int:
    """Return where the frame of a level begins."""
    return FRAMES + level * FRAME


@func
def child_of(slot: int) -> int:
    """Return where the child in a slot begins."""
    return CHILDREN + slot * CHILD


@func
def key_of(search: Ints, values: int, player: int) -> int:
    """Return what the values that begin at a place are worth to a player."""
    root = int(search[ROOT])
    if int(search[RULE]) == Rule.MAX_N:
        return int(search[values + player - 1])
    if player == root:
        return int(search[values + root - 1])
    return -int(search[values + root - 1])


@func
def enough(search: Ints, level: int) -> int:
    """Return the key from which on a child decides its node: nothing is better, or nobody would come here."""
    frame = frame_of(level)
    best = WIN - int(search[frame + TURNS]) - 1
    if int(search[RULE]) == Rule.MAX_N:
        return best
    if int(search[frame + PLAYER]) == int(search[ROOT]):
        return min(best, int(search[frame + HIGH]))
    return min(best, -int(search[frame + LOW]))


@func
def open_frame(search: Ints, level: int, player: int) -> None:
    """Begin a node without children, within the bounds of the node above it."""
    frame = frame_of(level)
    search[frame + PLAYER] = player
    search[frame + TURNS] = int(search[ENDINGS])
    search[frame + MAY_PASS] = 0
    search[frame + COUNT] = 0
    rewind(search, level)


@func
def rewind(search: Ints, level: int) -> None:
    """Make all children of a node wait for a visit."""
    frame = frame_of(level)
    search[frame + NEXT] = 0
    search[frame + BEST] = -1
    search[frame + LOW] = -BEYOND
    search[frame + HIGH] = BEYOND
    if level > 0:
        search[frame + LOW] = int(search[frame - FRAME + LOW])
        search[frame + HIGH] = int(search[frame - FRAME + HIGH])


@func
def write_child(search: Ints, moves: Longs, slot: int, move: Long, key: int, after: int) -> None:
    """Write a child into a slot, with the values judged last."""
    child = child_of(slot)
    search[child + KEY] = key
    search[child + AFTER] = after
    for seat in range(SEATS):
        search[child + WORTH + seat] = int(search[JUDGED + seat])
    moves[slot] = move


@func
def copy_child(search: Ints, moves: Longs, source: int, target: int) -> None:
    """Copy a child to another slot."""
    for number in range(CHILD):
        search[child_of(target) + number] = int(search[child_of(source) + number])
    moves[target] = moves[source]


@func
def keep_child(search: Ints, moves: Longs, level: int, width: int, move: Long, key: int, after: int) -> None:
    """Add a child behind those that are as good, if it is among the best `width`."""
    frame = frame_of(level)
    first = level * MOST_WIDTH
    slot = Int(first + int(search[frame + COUNT]))
    while slot > first and int(search[child_of(slot - 1) + KEY]) < key:
        slot -= 1
    if slot - first >= width:
        return
    last = Int(min(first + int(search[frame + COUNT]), first + width - 1))
    search[frame + COUNT] = last + 1 - first
    while last > slot:
        copy_child(search, moves, last - 1, last)
        last -= 1
    write_child(search, moves, slot, move, key, after)


@func
def bring_forward(search: Ints, moves: Longs, level: int, place: int) -> None:
    """Move a child to the front of its level; the others keep their order."""
    first = level * MOST_WIDTH
    spare = LEVELS * MOST_WIDTH
    slot = Int(first + place)
    copy_child(search, moves, slot, spare)
    while slot > first:
        copy_child(search, moves, slot - 1, slot)
        slot -= 1
    copy_child(search, moves, spare, first)


@func
def take(search: Ints, level: int, values: int) -> None:
    """Take in the values of the child visited last: they become the node's if they are the best so far."""
    frame = frame_of(level)
    player = int(search[frame + PLAYER])
    key = key_of(search, values, player)
    if int(search[frame + BEST]) >= 0 and key <= key_of(search, frame + VALUE, player):
        return
    search[frame + BEST] = int(search[frame + NEXT]) - 1
    for seat in range(SEATS):
        search[frame + VALUE + seat] = int(search[values + seat])
    if player == int(search[ROOT]):
        search[frame + LOW] = max(int(search[frame + LOW]), key)
    else:
        search[frame + HIGH] = min(int(search[frame + HIGH]), -key)


@func
def is_settled(search: Ints, level: int) -> bool:
    """Return whether no further child of a node needs a visit."""
    frame = frame_of(level)
    if int(search[frame + NEXT]) >= int(search[frame + COUNT]):
        return True
    if int(search[frame + BEST]) < 0:
        return False
    return key_of(search, frame + VALUE, int(search[frame + PLAYER])) >= enough(search, level)
