"""Sparse policies: what is kept is close to what was found, and the order of games is restored."""

from __future__ import annotations

import numpy as np
from hypothesis import example, given
from hypothesis import strategies as st

from engine.search import SearchResult
from training.shard import WEIGHT_UNIT, offsets_of
from training.targets import SMALLEST, Targets, sparse_policy


@given(st.lists(st.lists(st.floats(-9, 9, width=32), min_size=1, max_size=40), min_size=1, max_size=5))
@example([[-(2.0**-14), 0.0, -(2.0**-8)]])  # the best two are closer to each other than fixed-point numbers
def test_sparse_policies_are_close_and_add_up(logits: list[list[float]]) -> None:
    powers = [np.exp(np.array(run, np.float32)) for run in logits]
    policies = [power / power.sum() for power in powers]
    offsets = offsets_of([len(run) for run in logits]).astype(np.int32)
    choices, entries, weights = sparse_policy(np.concatenate(policies), offsets)
    starts = offsets_of(choices)
    for i, policy in enumerate(policies):
        run = slice(starts[i], starts[i + 1])
        dense = np.zeros(len(policy))
        dense[entries[run]] = weights[run] / WEIGHT_UNIT
        assert weights[run].sum(dtype=np.int64) == WEIGHT_UNIT
        assert np.abs(dense - policy).max() <= len(policy) * SMALLEST / WEIGHT_UNIT + 1e-4
        rounding = len(policy) / WEIGHT_UNIT  # each entry's, which the largest one makes up for
        assert policy[dense.argmax()] >= policy.max() - rounding


def test_of_a_policy_over_very_many_moves_the_best_one_is_kept() -> None:
    """Where no entry is large enough, beside a policy that has some."""
    flat = np.full(700, 1 / 701, np.float32)
    flat[[3, 650, 699]] = 1.25 / 701
    policy = np.concatenate([flat, np.array([0.5, 0.001, 0.499], np.float32), np.ones(900, np.float32) / 900])
    choices, entries, weights = sparse_policy(policy, np.array([0, 700, 703, 1603], np.int32))
    assert choices.tolist() == [1, 2, 1]
    assert entries.tolist() == [3, 0, 2, 0]
    assert weights[[0, 3]].tolist() == [WEIGHT_UNIT, WEIGHT_UNIT]
    assert weights[1:3].sum(dtype=np.int64) == WEIGHT_UNIT


def _found(policies: list[list[float]], values: list[list[float]]) -> SearchResult:
    offsets = offsets_of([len(policy) for policy in policies]).astype(np.int32)
    flat = np.array([p for policy in policies for p in policy], np.float32)
    nothing = np.zeros(0, np.int64)
    return SearchResult(
        actions=nothing,
        offsets=offsets,
        moves=nothing,
        policy=flat,
        visits=np.zeros(0, np.int32),
        values=np.array(values, np.float32),
    )


def test_searches_are_put_into_the_order_of_the_games() -> None:
    targets = Targets()
    first = _found([[0.25, 0.75], [1.0]], [[1.0, -1.0], [0.5, -0.5]])
    targets.add(np.array([1, 0]), np.array([2, 3]), first)
    targets.add(np.array([0]), np.array([1]), _found([[0.5, 0.0, 0.5]], [[0.0, 0.0]]))
    arrays = targets.arrays(np.array([0, 10]), players=2)
    assert list(arrays["searched"]) == [1, 3, 12]
    assert list(arrays["choices"]) == [2, 1, 2]
    assert list(arrays["entries"]) == [0, 2, 0, 0, 1]
    assert list(arrays["values"].reshape(-1, 2)[:, 0]) == [0, 16384, 32767]
