"""Why seeds wait two rounds: by then all that was received is among the ancestors of whatever shows a preimage."""

from collections import Counter

from consensus.hashgraph import Hashgraph
from consensus.ledger.rules.seeds import DISTANCE
from scripts import vectors
from tests.consensus.hashgraph.test_vectors import DAGS
from tests.consensus.random_dags import DagEvent, RandomDag, random_dag


def ancestors(events: list[DagEvent]) -> list[set[int]]:
    """For each event, the rows of the event itself and of all its ancestors."""
    found: list[set[int]] = []
    for row, (_, self_parent, others, *_) in enumerate(events):
        parents = [*others] if self_parent is None else [self_parent, *others]
        found.append({row}.union(*(found[parent] for parent in parents)))
    return found


def missing(dag: RandomDag | vectors.Dag) -> tuple[Counter[int], Counter[int]]:
    """By distance in rounds: the pairs of a received event and a witness that much later, and those not related."""
    graph = Hashgraph(dag.weights)
    for event in dag.events:
        graph.add(*event)
    known, pairs, apart = ancestors(dag.events), Counter[int](), Counter[int]()
    witnesses = [row for row in range(len(dag.events)) if graph.is_witness(row)]
    for decision in graph.decide():
        received = {item.row for item in decision.received}
        for witness in witnesses:
            distance = graph.round_of(witness) - decision.round
            pairs[distance] += len(received)
            apart[distance] += len(received - known[witness])
    return pairs, apart


def test_two_rounds_on_every_witness_has_what_was_received() -> None:
    """docs/seeds.md proves it. One round on it is only likely, and these DAGs have no counter-example."""
    pairs, apart = Counter[int](), Counter[int]()
    dags = [random_dag(seed) for seed in range(1500)]
    for dag in [dag for dag in dags if dag.safe] + [dag for dag in DAGS if is_safe(dag)]:
        found, lacking = missing(dag)
        pairs += found
        apart += lacking
    assert DISTANCE == 2
    assert pairs[2] > 10_000
    assert apart[0] > 0
    assert not any(apart[distance] for distance in apart if distance >= 2), apart


def is_safe(dag: vectors.Dag) -> bool:
    """Whether less than a third of the weight forks."""
    graph = Hashgraph(dag.weights)
    for event in dag.events:
        graph.add(*event)
    return 3 * sum(dag.weights[member] for member in graph.forkers()) < sum(dag.weights)
