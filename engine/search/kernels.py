"""The kernels of a search, with one thread a game: open the roots, pool edges, descend, back up, conclude."""

from __future__ import annotations

from engine.backend.dialect import (
    Float,
    FloatRows,
    Int,
    IntRows,
    Ints,
    Long,
    LongRows,
    Longs,
    Row,
    Rows,
    kernel,
    thread,
)
from engine.rules import apply_move, legal_moves, player, winner
from engine.search.nodes import (
    ABOVE,
    CHILD,
    COUNT,
    FIRST,
    FRESH,
    LEAF,
    PARENT,
    PLAYER,
    SCORE,
    SIMULATION,
    TOTALS,
    VISITS,
    back_up,
    settle,
)
from engine.search.select import choose_at_root, choose_below, softmax_scores


@kernel
def open_roots(
    first: int,
    tables: Row,
    scratch: IntRows,
    slots: int,
    states: Rows,
    legal: LongRows,
    nodes: IntRows,
    leaves: IntRows,
) -> None:
    """List the legal moves of every root; a root with a forced move is not played through."""
    game = first + thread.tid()
    root = game * slots
    count = legal_moves(tables, states[root], scratch[thread.tid() % scratch.shape[0]], legal[game])
    nodes[root][PLAYER] = player(states[root])
    nodes[root][COUNT] = count
    nodes[root][ABOVE] = -1
    leaves[game][LEAF] = root
    leaves[game][FRESH] = count


@kernel
def pool_edges(
    first: int,
    legal: LongRows,
    leaves: IntRows,
    starts: Ints,
    nodes: IntRows,
    moves: Longs,
    links: IntRows,
    stats: FloatRows,
) -> None:
    """Copy the moves of each new leaf to its run of edges in the pool, which begins at `starts[game]`."""
    game = first + thread.tid()
    start = int(starts[game])
    count = int(leaves[game][FRESH])
    leaf = int(leaves[game][LEAF])
    if leaf >= 0:
        nodes[leaf][FIRST] = start
    for place in range(count):
        edge = start + place
        moves[edge] = legal[game][place]
        links[edge][CHILD] = -1
        links[edge][VISITS] = 0
        for column in range(TOTALS, stats.shape[1]):
            stats[edge][column] = Float(0.0)


@kernel
def descend(
    first: int,
    tables: Row,
    scratch: IntRows,
    slots: int,
    counters: Ints,
    value_scale: float,
    schedule: IntRows,
    states: Rows,
    legal: LongRows,
    nodes: IntRows,
    values: FloatRows,
    moves: Longs,
    links: IntRows,
    stats: FloatRows,
    leaves: IntRows,
) -> None:
    """Walk from the root to an edge not yet visited and make its node, or walk to the end of a game."""
    game = first + thread.tid()
    lane = thread.tid() % scratch.shape[0]
    node = Int(game * slots)
    options = int(nodes[node][COUNT])
    simulation = int(counters[SIMULATION])
    leaves[game][LEAF] = -1
    leaves[game][FRESH] = 0
    if options < 2:
        return
    wanted = int(schedule[min(options, int(schedule.shape[0]) - 1)][simulation])
    edge = Int(choose_at_root(node, wanted, value_scale, nodes, values, links, stats))
    child = Int(int(links[edge][CHILD]))
    while child >= 0 and int(nodes[child][COUNT]) > 0:
        node = child
        edge = choose_below(node, value_scale, nodes, values, links, stats)
        child = int(links[edge][CHILD])
    if child < 0:
        child = game * slots + simulation + 1
        links[edge][CHILD] = child
        nodes[child][ABOVE] = edge
        nodes[child][PARENT] = node
        for field in range(states.shape[1]):
            states[child][field] = states[node][field]
        apply_move(tables, states[child], scratch[lane], moves[edge])
        count = settle(tables, states[child], scratch[lane], legal[game])
        nodes[child][PLAYER] = player(states[child])
        nodes[child][COUNT] = count
        leaves[game][FRESH] = count
        if count == 0:
            for seat in range(values.shape[1]):
                values[child][seat] = Float(-1.0) / Float(int(values.shape[1]) - 1)
            values[child][winner(states[child]) - 1] = Float(1.0)
    leaves[game][LEAF] = child


@kernel
def receive(
    first: int,
    leaves: IntRows,
    ranks: Ints,
    relative: FloatRows,
    nodes: IntRows,
    values: FloatRows,
    links: IntRows,
    stats: FloatRows,
) -> None:
    """Turn each new leaf's value, row `ranks[game]` of `relative`, to absolute seats, and back it up."""
    game = first + thread.tid()
    leaf = int(leaves[game][LEAF])
    if leaf < 0:
        return
    if int(ranks[game]) >= 0:
        players = int(values.shape[1])
        mover = int(nodes[leaf][PLAYER]) - 1
        for seat in range(players):
            values[leaf][(mover + seat) % players] = relative[int(ranks[game])][seat]
    back_up(leaf, nodes, values, links, stats)


@kernel
def conclude(
    first: int,
    slots: int,
    value_scale: float,
    nodes: IntRows,
    values: FloatRows,
    moves: Longs,
    links: IntRows,
    stats: FloatRows,
    actions: Longs,
    outcomes: FloatRows,
) -> None:
    """Write every root's action (-1 if the game is over) and its mean value; leave the policy in SCORE."""
    game = first + thread.tid()
    root = game * slots
    start = int(nodes[root][FIRST])
    count = int(nodes[root][COUNT])
    actions[game] = Long(-1)
    if count == 1:
        actions[game] = moves[start]
        stats[start][SCORE] = Float(1.0)
    if count > 1:
        most = Int(0)
        for edge in range(start, start + count):
            most = max(most, int(links[edge][VISITS]))
        best = choose_at_root(root, most, value_scale, nodes, values, links, stats)
        actions[game] = moves[best]
        for seat in range(values.shape[1]):
            outcomes[game][seat] = stats[best][TOTALS + seat] / Float(most)
        softmax_scores(start, start + count, stats)
