"""The pool of edges: runs that follow each other, growth, and memory that goes from one search to the next."""

from __future__ import annotations

import numpy as np
import pytest

from engine.search.pool import EdgePool


def test_runs_of_edges_follow_each_other_and_survive_growth() -> None:
    pool = EdgePool(players=2, capacity=4)
    assert pool.take(np.array([2, 0, 1], np.int32)).tolist() == [0, 2, 2]
    pool.moves[:3] = [5, 6, 7]
    assert pool.take(np.array([3, 4], np.int32)).tolist() == [3, 6]
    assert pool.used == 10 <= len(pool.moves) == len(pool.links) == len(pool.stats)
    assert pool.moves[:3].tolist() == [5, 6, 7]


def test_a_pool_takes_the_memory_that_another_released_if_it_fits() -> None:
    first, other = EdgePool(players=2, capacity=100), EdgePool(players=2, capacity=100)
    assert other.moves is not first.moves  # two searches at the same time
    moves = first.moves
    first.release()
    smaller = EdgePool(players=2, capacity=60)
    assert smaller.moves is moves
    assert smaller.used == 0
    for players, capacity in ((2, 101), (3, 50)):
        smaller.release()
        assert EdgePool(players, capacity).moves is not moves


def test_more_edges_than_can_be_numbered_are_refused() -> None:
    pool = EdgePool(players=2, capacity=4)
    with pytest.raises(ValueError, match="more than 2147483647 edges"):
        pool.take(np.full(3, 2**30, np.int32))
