"""Counts of legal sequences (perft): if a change of the rules leaves them equal, an error is very unlikely."""

from __future__ import annotations

import sys

import numpy as np
from numpy.typing import NDArray

from engine.arguments import within
from engine.games import Games

_CHILDREN = 8192  # positions made at once, which take memory once per level


def count_sequences(games: Games, depth: int) -> NDArray[np.int64]:
    """Return int64[games]: the number of sequences of `depth` legal moves from each position.

    A game that is over has no move, so shorter sequences are not counted. The last moves are enumerated, not played.

    Raises:
        ValueError: `depth` is negative.
    """
    within(depth, 0, sys.maxsize, "depth")
    if depth == 0:
        return np.ones(len(games), np.int64)
    legal = games.legal()
    if depth == 1:
        return np.diff(legal.offsets).astype(np.int64)
    counts = np.zeros(len(games), np.int64)
    owners = np.repeat(np.arange(len(games)), np.diff(legal.offsets))
    for start in range(0, len(owners), _CHILDREN):
        parents = owners[start : start + _CHILDREN]
        children = games.take(parents)
        children.apply(legal.moves[start : start + _CHILDREN], check=False)
        np.add.at(counts, parents, count_sequences(children, depth - 1))
    return counts
