"""The trees of a search: the columns of its node and edge arrays, and the steps that change them.

The tree of game g is `slots` consecutive nodes: its root, then one node for each simulation, which that
simulation fills if it reaches a new position. A node's legal moves are a run of edges in one pool that all
games share, so a node takes no more room than its moves need. A node is a position in which the player has a
choice, or the end of a game: forced plies are played through. Values are by absolute seat (component p - 1
is player p's), and the player who chooses at a node looks at their own component (max^n).
"""

from __future__ import annotations

from engine.backend.dialect import FloatRows, Int, IntRows, Ints, Longs, Row, func
from engine.rules import apply_move, is_over, legal_moves

# Columns of a node's integers.
PLAYER = 0  # who chooses here
FIRST = 1  # its first edge in the pool
COUNT = 2  # number of edges; 0 at the end of a game
ABOVE = 3  # the edge by which it was reached, -1 at the root
PARENT = 4  # the node to which that edge belongs
NODE_COLUMNS = 5
# A node's floats are its value for each player: the network's, or the result of the game.

# Columns of an edge's integers and floats.
CHILD = 0  # node, or -1
VISITS = 1
EDGE_COLUMNS = 2
LOGIT = 0
NOISE = 1  # at the root
SCORE = 2  # scratch of the selection
TOTALS = 3  # this column and the next ones, one a player: sum over the visits of the player's component of the value

# Columns of the result of a descent, one row a game.
LEAF = 0  # the node it ended in, -1 if the game is not searched
FRESH = 1  # number of edges of that node if it is new; 0 if it is the end of a game
LEAF_COLUMNS = 2

# The counters of a search, in one array, so that a recorded sequence of launches can be repeated for each simulation.
SIMULATION = 0  # number of the present one, from 0
USED = 1  # edges of the pool that earlier simulations have taken; this and the next one on devices only
TAKEN = 2  # and those that the present one has taken besides
COUNTERS = 3

FORCED_LIMIT = 1000
"""Most forced plies played in a row. No game comes near it; it only bounds a loop."""


@func
def settle(tables: Row, state: Row, scratch: Ints, moves: Longs) -> int:
    """Play forced plies until there is a choice or the game is over, and return the number of legal moves then."""
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
    """Add the leaf's value to every edge on the way to the root."""
    node = Int(leaf)
    edge = Int(int(nodes[node][ABOVE]))
    while edge >= 0:
        links[edge][VISITS] = int(links[edge][VISITS]) + 1
        for seat in range(values.shape[1]):
            stats[edge][TOTALS + seat] = stats[edge][TOTALS + seat] + values[leaf][seat]
        node = int(nodes[node][PARENT])
        edge = int(nodes[node][ABOVE])
