"""The kernels that a search on a device needs besides those of every search, in place of NumPy between two launches."""

from __future__ import annotations

from engine.backend.dialect import (
    Byte,
    Bytes,
    Float,
    FloatRows,
    Floats,
    Int,
    IntRows,
    Ints,
    Rows,
    Short,
    Word,
    Words,
    func,
    kernel,
    thread,
)
from engine.rules.state import OVER, PHASE
from engine.search.nodes import COUNT, FIRST, FRESH, LEAF, NOISE, SCORE, SIMULATION, TAKEN, USED, VISITS
from engine.search.noise import draw_gumbel

GROUP = 64
"""Games whose edges one thread places: the square root of a large batch, since each thread looks at all groups too."""

LANES = 32
"""Threads that share the edges of a game where each edge is looked at by itself."""

POOL_FULL = 1
NO_ROOM = 2
"""What a game is marked with that could not go on: the pool was full, or its legal moves did not fit their row."""


@kernel
def take_roots(first: int, where: Ints, source: Rows, slots: int, states: Rows, counters: Ints) -> None:
    """Copy row `where[game]` of the source to the game's root, or make that a game that is over if it is negative.

    Set the counters to what they are before the first simulation.
    """
    game = first + thread.tid()
    row = int(where[game])
    for field in range(states.shape[1]):
        if row >= 0:
            states[game * slots][field] = source[row][field]
        else:
            states[game * slots][field] = Short(0)
    if row < 0:
        states[game * slots][PHASE] = Short(OVER)
    if game == 0:
        counters[SIMULATION] = -1
        counters[USED] = 0
        counters[TAKEN] = 0


@func
def edges_of(game: int, room: int, leaves: IntRows) -> int:
    """Return how many edges of the pool a game's leaf takes: none if its legal moves did not fit."""
    count = int(leaves[game][FRESH])
    if count > room:
        return 0
    return count


@kernel
def count_edges(first: int, room: int, leaves: IntRows, groups: Ints) -> None:
    """Write how many edges the leaves of each group of games take."""
    group = first + thread.tid()
    total = Int(0)
    for game in range(group * GROUP, min(group * GROUP + GROUP, int(leaves.shape[0]))):
        total += edges_of(game, room, leaves)
    groups[group] = total


@kernel
def place_edges(
    first: int,
    room: int,
    capacity: int,
    groups: Ints,
    counters: Ints,
    leaves: IntRows,
    nodes: IntRows,
    values: FloatRows,
    starts: Ints,
    ranks: Ints,
    trouble: Bytes,
) -> None:
    """Give the leaf of each game of a group its run of edges, in the order of the games, as `EdgePool.take` does.

    `ranks[game]` becomes the game's number if its leaf is to be evaluated, else -1. A leaf without edges, since they
    would not fit, stands in its tree as a game that is over and even, and `trouble` says why.
    """
    group = first + thread.tid()
    start = Int(int(counters[USED]))
    for earlier in range(group):
        start += int(groups[earlier])
    end = min(group * GROUP + GROUP, int(leaves.shape[0]))
    for game in range(group * GROUP, end):
        taken = edges_of(game, room, leaves)
        starts[game] = start
        ranks[game] = -1
        if int(leaves[game][FRESH]) > room or taken > capacity - start:
            trouble[game] = Byte(POOL_FULL)
            if taken == 0:
                trouble[game] = Byte(NO_ROOM)
            leaf = int(leaves[game][LEAF])
            leaves[game][FRESH] = 0
            nodes[leaf][COUNT] = 0
            for seat in range(values.shape[1]):
                values[leaf][seat] = Float(0.0)
        elif taken > 0:
            ranks[game] = game
        start += taken
    if end == int(leaves.shape[0]):
        counters[TAKEN] = start - int(counters[USED])


@kernel
def advance(first: int, capacity: int, counters: Ints) -> None:
    """Turn to the next simulation. One thread does."""
    counters[SIMULATION] = int(counters[SIMULATION]) + 1
    counters[USED] = min(int(counters[USED]) + int(counters[TAKEN]), capacity)


@kernel
def draw_noise(first: int, slots: int, scale: float, seeds: Words, nodes: IntRows, stats: FloatRows) -> None:
    """Write the noise of every edge of the roots, with `LANES` threads a game."""
    index = first + thread.tid()
    game = index // LANES
    root = game * slots
    place = Int(index % LANES)
    while place < int(nodes[root][COUNT]):
        stats[int(nodes[root][FIRST]) + place][NOISE] = draw_gumbel(Word(seeds[game]), place) * Float(scale)
        place += LANES


@kernel
def read_roots(first: int, slots: int, nodes: IntRows, counts: Ints) -> None:
    """Write the number of edges of every root."""
    game = first + thread.tid()
    counts[game] = nodes[game * slots][COUNT]


@kernel
def read_edges(first: int, links: IntRows, stats: FloatRows, policy: Floats, visits: Ints) -> None:
    """Write the score and the visits of the first edges of the pool, one thread an edge."""
    edge = first + thread.tid()
    policy[edge] = stats[edge][SCORE]
    visits[edge] = links[edge][VISITS]
