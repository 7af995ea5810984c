"""The columns of a search's node and edge arrays.

The tree of game g is `slots` consecutive nodes: its root, then one node for each simulation, which that
simulation fills if it reaches a new position. A node's legal moves are a run of edges in one pool that all
games share, so a node costs what it needs on every board. A node is a position in which the player has a
choice, or the end of a game: forced plies are played through. Values are per absolute seat (component p - 1
is player p's), and whoever chooses at a node looks at his own component (max^n).
"""

from __future__ import annotations

from engine.backend.dialect import FloatRows, Int, IntRows, Ints, Longs, Row, func
from engine.rules import apply_move, is_over, legal_moves

# Columns of a node's integers.
PLAYER = 0  # who chooses here
FIRST = 1  # its first edge in the pool
COUNT = 2  # how many edges; 0 at the end of a game
ABOVE = 3  # the edge by which it was reached, -1 at the root
PARENT = 4  # the node that edge belongs to
NODE_COLUMNS = 5
# A node's floats are its value for each player: the network's, or the result of the game.

# Columns of an edge's integers and floats.
CHILD = 0  # node, or -1
VISITS = 1
EDGE_COLUMNS = 2
LOGIT = 0
NOISE = 1  # at the root
SCORE = 2  # scratch of the selection
TOTALS = 3  # and one more for each further player: sum over the visits of his component of the value

# Columns of what a descent leaves behind, one row a game.
LEAF = 0  # the node it ended in, -1 if the game is not searched
FRESH = 1  # how many edges that node brings; 0 if it is the end of a game
LEAF_COLUMNS = 2

FORCED_LIMIT = 1000
"""Forced plies played in a row; no sequence of the rules comes near, so this only bounds a loop."""


@func
def settle(tables: Row, state: Row, scratch: Ints, moves: Longs) -> int:
    """Plays forced plies until there is a choice or the game is over; the number of legal moves then."""
    count = Int(0)
    for played in range(FORCED_LIMIT):
        if is_over(state):
            return 0
        count = legal_moves(tables, state, scratch, moves)
        if count != 1 or played == FORCED_LIMIT - 1:
            return count
        apply_move(tables, state, scratch, moves[0])
    return count


@func
def back_up(leaf: int, nodes: IntRows, values: FloatRows, links: IntRows, stats: FloatRows) -> None:
    """Adds the leaf's value to every edge on the way to the root."""
    node = Int(leaf)
    edge = Int(int(nodes[node][ABOVE]))
    while edge >= 0:
        links[edge][VISITS] = int(links[edge][VISITS]) + 1
        for seat in range(values.shape[1]):
            stats[edge][TOTALS + seat] = stats[edge][TOTALS + seat] + values[leaf][seat]
        node = int(nodes[node][PARENT])
        edge = int(nodes[node][ABOVE])
