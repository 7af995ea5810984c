"""What the hashgraph says of an event before it is added is what it says afterwards, and asking changes nothing."""

import random

import pytest

from consensus.hashgraph import Hashgraph
from scripts import vectors
from tests.consensus.hashgraph.test_vectors import DAGS
from tests.consensus.random_dags import RandomDag, random_dag


def outcome(graph: Hashgraph) -> tuple[list[tuple[int, bool, bool | None]], int, tuple[int, ...]]:
    """All that follows from what was added."""
    rows = range(len(graph))
    rounds = [(graph.round_of(row), graph.is_witness(row), graph.fame(row)) for row in rows]
    return rounds, graph.decided, graph.forkers()


def check(dag: RandomDag | vectors.Dag, rng: random.Random) -> tuple[int, int]:
    """Adds the DAG twice, once with questions before every event; the number of witnesses and of forks asked for."""
    plain, asked = Hashgraph(dag.weights), Hashgraph(dag.weights)
    witnesses, forks = 0, 0
    for number, (creator, self_parent, others, time, digest) in enumerate(dag.events):
        for _ in range(rng.randrange(3)):
            other = rng.choice(dag.events[: number + 1])
            asked.preview(*other[:3])  # of an event that is there already, or by another: mostly a fork
            forks += other[1] is None or other is not dag.events[number]
        told = asked.preview(creator, self_parent, others)
        row = asked.add(creator, self_parent, others, time, digest)
        assert plain.add(creator, self_parent, others, time, digest) == row
        assert told == (asked.round_of(row), asked.is_witness(row))
        witnesses += told[1]
        if rng.random() < 0.2:
            assert asked.decide() == plain.decide()
    assert asked.decide() == plain.decide()
    assert outcome(asked) == outcome(plain)
    return witnesses, forks


@pytest.mark.parametrize("start", range(0, 600, 100))
def test_random_dags_are_foretold(start: int) -> None:
    for seed in range(start, start + 100):
        witnesses, forks = check(random_dag(seed), random.Random(seed))
        assert witnesses > 0
        assert forks > 0


@pytest.mark.parametrize("dag", DAGS, ids=lambda dag: dag.name)
def test_known_dags_are_foretold(dag: vectors.Dag) -> None:
    check(dag, random.Random(dag.name))


@pytest.mark.parametrize("seed", range(30))
def test_what_an_event_will_see_is_told_before_it_is_added(seed: int) -> None:
    """Also at the moments when the arrays grow: a rule that held at some nodes only would stop the swarm."""
    dag = random_dag(seed, each=30)
    graph = Hashgraph(dag.weights)
    for creator, self_parent, others, time, digest in dag.events:
        told = graph.preview_last(creator, self_parent, others).tolist()
        assert graph.last(graph.add(creator, self_parent, others, time, digest)).tolist() == told, str(dag)
