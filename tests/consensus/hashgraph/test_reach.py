"""The bits are only a shortcut: with and without them all events get the same rounds and electors."""

from collections.abc import Callable

import pytest

from consensus.hashgraph import Hashgraph, reach
from tests.consensus.random_dags import RandomDag, random_dag


def rounds_of(dag: RandomDag) -> tuple[list[int], list[bool], list[dict[int, list[int]]]]:
    graph = Hashgraph(dag.weights)
    for event in dag.events:
        graph.add(*event)
        graph.decide()
    rows = range(len(dag.events))
    electors = [{row: places.tolist() for row, places in record.electors.items()} for record in graph._rounds.witnesses]
    return [graph.round_of(row) for row in rows], [graph.is_witness(row) for row in rows], electors


def looks(monkeypatch: pytest.MonkeyPatch, may_see: Callable[[reach.Reach, reach.Bits], bool]) -> list[int]:
    """Counts how many events are looked at closely, and lets `may_see` say which."""
    count = [0]

    def counting(self: reach.Reach, bits: reach.Bits) -> bool:
        answer = may_see(self, bits)
        count[0] += answer
        return answer

    monkeypatch.setattr(reach.Reach, "may_see_strongly", counting)
    return count


@pytest.mark.parametrize("start", range(500_000, 500_200, 50))
@pytest.mark.parametrize("kept", [reach.KEPT, 1, 0])
def test_the_bits_change_no_round(start: int, kept: int, monkeypatch: pytest.MonkeyPatch) -> None:
    bound = reach.Reach.may_see_strongly
    total, close = 0, 0
    for seed in range(start, start + 50):
        dag = random_dag(seed, largest=9, each=20)
        with monkeypatch.context() as patch:
            all_looks = looks(patch, lambda self, bits: True)
            expected = rounds_of(dag)
        with monkeypatch.context() as patch:
            patch.setattr(reach, "KEPT", kept)
            few_looks = looks(patch, bound)
            assert rounds_of(dag) == expected, str(dag)
        total, close = total + all_looks[0], close + few_looks[0]
    assert close < 0.6 * total if kept == reach.KEPT else close <= total


def test_an_event_without_news_is_not_looked_at_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two of four talk: what they lack is counted once, and not again until they hear from the others."""
    count = looks(monkeypatch, reach.Reach.may_see_strongly)
    graph = Hashgraph([1, 1, 1, 1])
    tips = [graph.add(member, None, [], member, bytes([member]) * 32) for member in range(4)]
    for number in range(40):
        member = number % 2
        tips[member] = graph.add(member, tips[member], [tips[1 - member]], 10 + number, bytes([9, number]) * 16)
    assert max(graph.round_of(tip) for tip in tips) == 1
    assert count[0] <= 2
