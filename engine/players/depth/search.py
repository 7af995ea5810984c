"""Depth search in one game: alpha-beta, Paranoid, max^n and best reply, deepened turn by turn, within a budget.

A node is a position in which somebody chooses. Its moves are tried and evaluated when it is opened, and the best few
are kept in that order (WIDTH); the search descends into those that do not end the last turn of the iteration.
The first iteration ends with the player's own turn, each further one a turn later. It begins with the move that the
last one found best, so one that the budget breaks off still counts.

Best reply, for three players and more (Schadd and Winands 2011; with the others' turns kept, as in BRS+, Esser et al.
2013): between two turns of the root's player one opponent makes the reply that hurts most, whichever it is. The others
cannot be skipped, as no position in which they were would be one of RingRift's: whose turn it is counts for the ends of
games, and a turn is more than a move. They play the turn that the heuristic would play, and only positions that the
rules allow are ever searched. A turn of the root's player counts as one, all turns up to its next as one more.
"""

from __future__ import annotations

from engine.backend.dialect import Int, Ints, Long, Longs, Row, func
from engine.players.depth.frames import (
    AFTER,
    BEST,
    BEYOND,
    BUDGET,
    COUNT,
    DECIDED,
    ENDED,
    ENDINGS,
    GREATEST,
    GREEDIEST,
    JUDGED,
    LEAF_KIND,
    LEVEL,
    LEVELS,
    LIMIT,
    LISTED,
    MAY_PASS,
    MOST_TURNS,
    MOST_WIDTH,
    MOVER,
    NEXT,
    PLACE,
    PLAYER,
    ROOT,
    ROOT_WIDTH,
    RULE,
    SOURCE,
    STAND_IN,
    TASK,
    TOTAL,
    TRIED,
    TURNS,
    VALUE,
    WIDTH,
    WORTH,
    Rule,
    bring_forward,
    child_of,
    enough,
    frame_of,
    is_settled,
    keep_child,
    key_of,
    open_frame,
    rewind,
    take,
    write_child,
)
from engine.rules.state import PHASE, PLACEMENT, any_rings, is_over, player
from engine.rules.turn import next_seat

# Tasks.
OPEN = 0  # all moves of a node are tried, and the best kept as its children
WALK = 1  # nothing is tried: on to the next child that has to be visited
VISIT = 2  # a move is played on the way to a child
GREEDY = 3  # all moves are tried, and the best for the player who moves is played on the way to a child

# Stand-ins.
NOBODY = 0
PASSING = 1  # of the player of the node, who leaves the reply to others
FILLING = 2  # of those whose turns come after the reply

PASS = -1
"""In the place of a move: the player leaves the reply to others."""
STOP = -2
"""In the place of a move: the search has ended."""


@func
def is_leaf(search: Ints, level: int, turns: int) -> bool:
    """Return whether the search does not go on from a position at a level, reached after so many turns."""
    return turns >= int(search[LIMIT]) or level >= LEVELS


@func
def is_out(search: Ints, state: Row, ended: int) -> bool:
    """Return whether a turn has ended and left the root's player without a ring: what follows is not searched."""
    return ended == 1 and not any_rings(state, int(search[ROOT]))


@func
def begin_iteration(search: Ints, moves: Longs, is_complete: bool) -> bool:
    """Put the best move of the last iteration first, and return whether another one is worth while."""
    best = int(search[frame_of(0) + BEST])
    if best < 0 and int(search[LIMIT]) == 1:
        take(search, 0, child_of(0) + WORTH)
    if best > 0:
        bring_forward(search, moves, 0, best)
    value = key_of(search, frame_of(0) + VALUE, int(search[ROOT]))
    if not is_complete or abs(value) >= DECIDED or int(search[LIMIT]) == int(search[MOST_TURNS]):
        return False
    search[LIMIT] = int(search[LIMIT]) + 1
    rewind(search, 0)
    return True


@func
def next_visit(search: Ints, moves: Longs) -> Long:
    """Walk on to the next child that has to be visited and return its move, or STOP."""
    goes_on = Int(1)
    while goes_on == 1:
        level = int(search[LEVEL])
        frame = frame_of(level)
        slot = level * MOST_WIDTH + int(search[frame + NEXT])
        if is_settled(search, level):
            if level > 0:
                search[LEVEL] = level - 1
                take(search, level - 1, frame + VALUE)
            elif not begin_iteration(search, moves, True):
                goes_on = Int(0)
        elif is_leaf(search, level + 1, int(search[child_of(slot) + AFTER])):
            search[frame + NEXT] = int(search[frame + NEXT]) + 1
            take(search, level, child_of(slot) + WORTH)
        elif int(search[TRIED]) >= int(search[BUDGET]):
            begin_iteration(search, moves, False)
            goes_on = Int(0)
        else:
            search[frame + NEXT] = int(search[frame + NEXT]) + 1
            search[TASK] = VISIT
            search[STAND_IN] = NOBODY
            search[SOURCE] = level
            search[ENDINGS] = int(search[frame + TURNS])
            return moves[slot]
    return Long(STOP)


@func
def close_node(search: Ints, moves: Longs) -> None:
    """Add the child that means to pass, if there is one, behind all others, and walk on."""
    level = int(search[LEVEL])
    frame = frame_of(level)
    if int(search[frame + MAY_PASS]) == 1:
        count = int(search[frame + COUNT])
        write_child(search, moves, level * MOST_WIDTH + count, Long(PASS), -BEYOND, int(search[frame + TURNS]))
        search[frame + COUNT] = count + 1
    search[TASK] = WALK


@func
def next_move(search: Ints, moves: Longs) -> Long:
    """Return the move to be tried next in the position saved under SOURCE; PASS, or STOP."""
    place = int(search[PLACE])
    if int(search[TASK]) == GREEDY and place == int(search[TOTAL]):
        search[TASK] = VISIT
        return moves[LISTED + int(search[GREEDIEST])]
    if int(search[TASK]) == OPEN and place == int(search[TOTAL]):
        close_node(search, moves)
    if int(search[TASK]) == WALK:
        return next_visit(search, moves)
    search[PLACE] = place + 1
    return moves[LISTED + place]


@func
def add_child(search: Ints, moves: Longs, state: Row, turns: int) -> None:
    """Add the position that the move tried last leads to, reached after so many turns, to the children of a node.

    Below the root, a move after which nobody would come here, or that wins, is the only one kept.
    """
    level = int(search[LEVEL])
    frame = frame_of(level)
    move = moves[LISTED + int(search[PLACE]) - 1]
    key = key_of(search, JUDGED, int(search[MOVER]))
    after = Int(turns)
    if is_over(state) or is_out(search, state, turns - int(search[ENDINGS])):
        after = Int(ENDED)
    if level == 0:
        keep_child(search, moves, level, int(search[ROOT_WIDTH]), move, key, after)
    elif is_leaf(search, level + 1, after) and key >= enough(search, level):
        write_child(search, moves, level * MOST_WIDTH, move, key, after)
        search[frame + COUNT] = 1
        search[frame + MAY_PASS] = 0
        search[PLACE] = int(search[TOTAL])
    else:
        keep_child(search, moves, level, int(search[WIDTH]), move, key, after)


@func
def open_node(tables: Row, search: Ints, level: int, state: Row) -> None:
    """Begin a node of a level at a position: its moves are to be listed and tried."""
    root = int(search[ROOT])
    mover = player(state)
    open_frame(search, level, mover)
    search[TASK] = OPEN
    search[MOVER] = mover
    search[LEVEL] = level
    search[SOURCE] = level
    if int(search[RULE]) == Rule.BEST_REPLY and mover != root and int(state[PHASE]) == PLACEMENT and level + 1 < LEVELS:
        search[frame_of(level) + MAY_PASS] = int(next_seat(tables, state, mover) != root)


@func
def play_greedily(search: Ints, stand_in: int, mover: int) -> None:
    """Let a stand-in choose in a position: its moves are to be listed and tried."""
    search[TASK] = GREEDY
    search[STAND_IN] = stand_in
    search[MOVER] = mover
    search[GREATEST] = -BEYOND
    search[SOURCE] = int(search[LEVEL]) + 1


@func
def is_others_turn(search: Ints, state: Row) -> bool:
    """Return whether the game goes on with a turn of others than the root's player, who is still in it."""
    root = int(search[ROOT])
    return not is_over(state) and player(state) != root and any_rings(state, root)


@func
def end_turn(search: Ints, state: Row) -> None:
    """Count a turn that has ended on the way to a child, and hand the next one to a stand-in if it is the time."""
    root = int(search[ROOT])
    stand_in = int(search[STAND_IN])
    if stand_in == NOBODY or (stand_in == PASSING and player(state) == root):
        search[ENDINGS] = int(search[ENDINGS]) + 1
    is_reply = stand_in == NOBODY and int(search[frame_of(int(search[LEVEL])) + PLAYER]) != root
    search[STAND_IN] = NOBODY
    if int(search[RULE]) == Rule.BEST_REPLY and (is_reply or stand_in == FILLING) and is_others_turn(search, state):
        search[STAND_IN] = FILLING


@func
def compare(search: Ints) -> None:
    """Remember the move tried last if it is the best so far for the player who moves."""
    value = int(search[JUDGED + int(search[MOVER]) - 1])
    if value > int(search[GREATEST]):
        search[GREATEST] = value
        search[GREEDIEST] = int(search[PLACE]) - 1


@func
def arrive(tables: Row, search: Ints, state: Row, ended: int) -> bool:
    """Take in the position after a move on the way to a child; return whether its moves are to be listed."""
    if ended == 1:
        end_turn(search, state)
    level = int(search[LEVEL]) + 1
    if int(search[STAND_IN]) != NOBODY:
        play_greedily(search, int(search[STAND_IN]), player(state))
        return True
    if is_over(state) or is_out(search, state, ended) or is_leaf(search, level, int(search[ENDINGS])):
        take(search, level - 1, JUDGED)
        search[TASK] = WALK
        return False
    open_node(tables, search, level, state)
    return True


@func
def observe(tables: Row, search: Ints, moves: Longs, state: Row, ended: int) -> bool:
    """Take in the position after the move tried last; return whether its moves are to be listed."""
    search[TRIED] = int(search[TRIED]) + 1
    if int(search[TASK]) == VISIT:
        return arrive(tables, search, state, ended)
    if int(search[TASK]) == OPEN:
        add_child(search, moves, state, int(search[ENDINGS]) + ended)
    else:
        compare(search)
    return False


@func
def open_root(
    tables: Row,
    search: Ints,
    state: Row,
    rule: int,
    leaf: int,
    budget: int,
    width: int,
    root_width: int,
    most_turns: int,
    total: int,
) -> None:
    """Begin a search at a position, of which so many moves are listed."""
    search[RULE] = rule
    search[ROOT] = player(state)
    search[LEAF_KIND] = leaf
    search[BUDGET] = budget
    search[TRIED] = 0
    search[WIDTH] = width
    search[ROOT_WIDTH] = root_width
    search[LIMIT] = 1
    search[MOST_TURNS] = most_turns
    search[ENDINGS] = 0
    search[TOTAL] = total
    search[PLACE] = 0
    open_node(tables, search, 0, state)
