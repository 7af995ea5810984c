"""Special cases of SPEC.md section 6, each built on purpose, and checked against the definitions as well."""

from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256

import pytest

from consensus.hashgraph import Decision, Hashgraph
from tests.consensus.hashgraph.test_brute_force import differences
from tests.consensus.random_dags import DagEvent, RandomDag


class Scenario:
    """A DAG made by hand: events have names and continue their member's last one, unless told otherwise."""

    def __init__(self, weights: list[int]) -> None:
        self.weights = weights
        self.events: list[DagEvent] = []
        self.ids: dict[str, int] = {}
        self.last: dict[int, int] = {}

    def add(self, name: str, creator: int, *others: str, after: str = "last") -> None:
        self_parent = self.last.get(creator) if after == "last" else self.ids.get(after)
        parents = [self.ids[other] for other in others]
        index = self.ids[name] = self.last[creator] = len(self.events)
        self.events.append((creator, self_parent, parents, index * 10, sha256(name.encode()).digest()))

    def layer(self, number: int, members: Iterable[int], extra: Mapping[int, Sequence[str]] | None = None) -> None:
        """Every one of `members` takes all their events of the layer before; `extra` gives more parents."""
        more = extra or {}
        for member in members:
            others = [f"{other}.{number - 1}" for other in members if other != member] if number else []
            self.add(f"{member}.{number}", member, *others, *more.get(member, ()))

    def check(self) -> tuple[Hashgraph, list[Decision]]:
        """The graph, after it was found to agree with the definitions in several orders."""
        dag = RandomDag(0, self.weights, self.events, True, 10)
        found, _ = differences(dag)
        assert not found, found[0]
        graph = Hashgraph(self.weights)
        for creator, self_parent, others, time, digest in self.events:
            graph.add(creator, self_parent, others, time, digest)
        return graph, graph.decide()

    def names(self, rows: Iterable[int]) -> list[str]:
        names = {index: name for name, index in self.ids.items()}
        return [names[row] for row in rows]


def test_alone_every_event_is_a_round_and_the_last_two_stay_open() -> None:
    scenario = Scenario([3])
    for number in range(12):
        scenario.layer(number, [0])
    graph, decisions = scenario.check()
    assert [graph.round_of(row) for row in range(12)] == list(range(1, 13))
    assert all(graph.is_witness(row) for row in range(12))
    assert [(d.round, d.judges, [item.row for item in d.received]) for d in decisions] == [
        (round_, (round_ - 1,), [round_ - 1]) for round_ in range(1, 11)
    ]


@pytest.mark.parametrize("members", [2, 3])
def test_of_two_or_three_one_silent_member_stops_everything(members: int) -> None:
    scenario = Scenario([1] * members)
    for number in range(8):
        scenario.layer(number, range(members))
    assert scenario.check()[0].decided == 2
    talking = list(range(members - 1))
    for number in range(8, 30):
        scenario.layer(number, talking)
    assert scenario.check()[0].decided <= 3


def test_two_famous_witnesses_of_one_member_make_no_judge() -> None:
    """A forker of weight 1/5 shows a different branch to each half of the others: ties make both famous."""
    scenario = Scenario([2, 1, 1, 1])
    honest = [0, 1, 2]
    scenario.add("f", 3)
    scenario.layer(0, honest)
    scenario.layer(1, honest, {0: ["f"]})
    scenario.layer(2, honest)
    scenario.layer(3, honest)
    for branch in "ab":
        scenario.add(branch, 3, "0.2", "1.2", "2.2", after="f")
    scenario.layer(4, honest, {0: ["a"], 1: ["b"], 2: ["b"]})
    for number in range(5, 14):
        scenario.layer(number, honest)
    graph, decisions = scenario.check()
    a, b = scenario.ids["a"], scenario.ids["b"]
    assert (graph.round_of(a), graph.round_of(b)) == (2, 2)
    assert (graph.fame(a), graph.fame(b)) == (True, True)
    assert scenario.names(decisions[1].judges) == ["0.2", "1.2", "2.2"]
    assert {a, b} <= {item.row for decision in decisions for item in decision.received}


def test_a_witness_that_comes_late_is_not_famous_and_changes_nothing() -> None:
    scenario = Scenario([1, 1, 1, 1])
    for number in range(10):
        scenario.layer(number, [0, 1, 2])
    before = scenario.check()[1]
    scenario.add("late", 3)
    scenario.add("later", 3, "0.3")
    scenario.layer(10, [0, 1, 2], {0: ["later"]})
    scenario.layer(11, [0, 1, 2])
    scenario.layer(12, [0, 1, 2])
    graph, after = scenario.check()
    assert graph.is_witness(scenario.ids["late"])
    assert graph.is_witness(scenario.ids["later"])
    assert graph.fame(scenario.ids["late"]) is False
    assert graph.fame(scenario.ids["later"]) is False
    assert after[: len(before)] == before


def test_a_member_without_weight_votes_for_nothing_but_can_be_a_judge() -> None:
    scenario = Scenario([1, 1, 1, 0])
    for number in range(10):
        scenario.layer(number, [0, 1, 2, 3])
    graph, decisions = scenario.check()
    assert decisions
    assert all(scenario.ids[f"3.{2 * d.round - 2}"] in d.judges for d in decisions)
    silent = Scenario([1, 1, 1, 0])
    for number in range(10):
        silent.layer(number, [0, 1, 2])
    assert silent.check()[0].decided == graph.decided


def test_weights_whose_triple_exceeds_64_bits_are_added_exactly() -> None:
    """Members 0, 1 and 2 have exactly two thirds, which is too little, or 1 more, which is enough."""
    ninth = (2**63 - 1) // 9
    assert 3 * 9 * ninth > 2**64
    for more, enough in ((0, False), (1, True)):
        scenario = Scenario([2 * ninth, 2 * ninth, 2 * ninth + more, 3 * ninth])
        for number in range(12):
            scenario.layer(number, [0, 1, 2])
        assert (scenario.check()[0].decided > 0) is enough


@pytest.mark.parametrize("weights", [[], [0, 0], [1, -1], [2**62, 2**62]])
def test_impossible_weights_are_refused(weights: list[int]) -> None:
    with pytest.raises(ValueError, match="weights must not be negative"):
        Hashgraph(weights)
