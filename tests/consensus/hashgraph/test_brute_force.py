"""The hashgraph against the definitions written down one by one, on known and on random DAGs.

A random DAG that differs is named by its seed: `python -m tests.consensus.hashgraph.test_brute_force SEED`.
"""

import random
import sys
from collections import Counter
from collections.abc import Iterable
from typing import Any

import pytest

from consensus.hashgraph import fame
from scripts import vectors
from tests.consensus.brute_force import BruteForce
from tests.consensus.hashgraph.test_vectors import DAGS
from tests.consensus.random_dags import RandomDag, random_dag

BATCH = 100


@pytest.mark.parametrize("dag", [dag for dag in DAGS if len(dag.events) < 160], ids=lambda dag: dag.name)
def test_the_definitions_give_the_known_results(dag: vectors.Dag) -> None:
    found = BruteForce(dag.weights, dag.events).results()
    assert found == {what: dag.expect[what] for what in vectors.RESULTS}


def differences(dag: RandomDag) -> tuple[list[vectors.Mismatch], dict[str, Any]]:
    """Where the hashgraph differs from the definitions, over several orders in which the events come."""
    expect = BruteForce(dag.weights, dag.events, dag.coin_period).results()
    views: list[dict[str, int]] = []
    if dag.safe:
        size = len(dag.events) // 2
        half = BruteForce(dag.weights, dag.events[:size], dag.coin_period)
        views = [{"size": size, "decided": half.decided, "order_len": len(half.order)}]
    listed = vectors.Dag(
        name=str(dag.seed), kind="random", weights=dag.weights, events=dag.events, expect=expect, views=views
    )
    if dag.safe:
        return vectors.check(listed, orders=3), expect
    found: list[vectors.Mismatch] = []
    for order in range(3):
        ids = vectors.parents_first(listed, random.Random(order))
        results = vectors.results(*vectors.feed(listed, ids, len(ids)))
        found += vectors.compare(listed, f"order {order}", results)
    return found, expect


def compare_seeds(seeds: Iterable[int], monkeypatch: pytest.MonkeyPatch, **sizes: int) -> Counter[str]:
    """Compares all, and returns how often the rarer things came up."""
    met = Counter[str]()
    for seed in seeds:
        dag = random_dag(seed, **sizes)
        monkeypatch.setattr(fame, "COIN_PERIOD", dag.coin_period)
        found, expect = differences(dag)
        assert not found, f"{dag}\n{len(found)} differences, the first: {found[0]}"
        met["decided"] += expect["decided"] > 0
        met["not famous"] += False in expect["fame"]
        met["two branches"] += len({(c, p) for c, p, *_ in dag.events}) < len(dag.events)
        met["received"] += len(expect["order"])
    return met


@pytest.mark.parametrize(
    "start", [start if start < 600 else pytest.param(start, marks=pytest.mark.slow) for start in range(0, 1500, BATCH)]
)
def test_random_dags_agree_in_every_order(start: int, monkeypatch: pytest.MonkeyPatch) -> None:
    met = compare_seeds(range(start, start + BATCH), monkeypatch)
    assert met["decided"] >= BATCH // 4
    assert met["not famous"] >= 10
    assert met["two branches"] >= 10
    assert met["received"] >= 5 * BATCH


@pytest.mark.slow
@pytest.mark.parametrize("start", range(100_000, 101_000, BATCH))
def test_larger_random_dags_agree_in_every_order(start: int, monkeypatch: pytest.MonkeyPatch) -> None:
    compare_seeds(range(start, start + BATCH), monkeypatch, largest=12, each=24)


if __name__ == "__main__":
    with pytest.MonkeyPatch.context() as patch:
        large = {"largest": 12, "each": 24} if int(sys.argv[1]) >= 100_000 else {}
        print(compare_seeds([int(sys.argv[1])], patch, **large))
