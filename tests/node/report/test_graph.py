"""The window on the newest events: bounded, consistent with the hashgraph, and it stays where it was."""

import pytest

from consensus.keys import id_text
from node.report import graph
from node.report.graph import _LEVELS, GraphWindow
from tests.consensus.gossip import Gossip


def test_what_is_told_is_what_the_hashgraph_says() -> None:
    swarm = Gossip(4, seed=3).run(70)
    dag = swarm.replicas[0].dag
    told = GraphWindow().look(dag, 5, id_text)
    assert (told["epoch"], told["decided"], told["total"]) == (5, dag.hashgraph.decided, len(dag))
    assert told["decided"] > 1
    assert [entry["member"] for entry in told["members"]] == [id_text(member) for member in dag.members]
    rows = {event["row"] for event in told["events"]}
    famous = 0
    for event in told["events"]:
        row = event["row"]
        assert event["round"] == dag.hashgraph.round_of(row)
        assert event["witness"] == dag.hashgraph.is_witness(row)
        assert event["seq"] == dag.events[row].seq
        assert event["parents"] == [dag.rows[parent] for parent in dag.events[row].parents if dag.rows[parent] in rows]
        assert event["famous"] == (dag.hashgraph.fame(row) if event["round"] <= told["decided"] else None)
        famous += bool(event["famous"])
    assert famous > 3


def test_events_stay_in_their_places_and_the_window_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(graph, "_MOST_EVENTS", 50)
    swarm = Gossip(4, seed=1).run(60)
    dag, window = swarm.replicas[0].dag, GraphWindow()
    before = {event["row"]: event["level"] for event in window.look(dag, 0, id_text)["events"]}
    swarm.run(20)
    told = window.look(dag, 0, id_text)["events"]
    levels = {event["row"]: event["level"] for event in told}
    both = before.keys() & levels.keys()
    assert both
    assert {row: before[row] for row in both} == {row: levels[row] for row in both}
    assert window.look(dag, 0, id_text)["levels"] == _LEVELS
    assert max(levels.values()) - min(levels.values()) < _LEVELS
    assert len(levels) <= len(window._levels) <= 50
    for event in told:
        assert all(levels[parent] < event["level"] for parent in event["parents"])
    places = {(event["member"], event["level"]) for event in told}
    assert len(places) == len(told), "no two events lie on each other"
    swarm.run(80)
    fresh = GraphWindow().look(dag, 0, id_text)
    assert window.look(dag, 0, id_text) == fresh, "nobody looked for a long time"
    other = GraphWindow()
    other.look(swarm.replicas[1].dag, 0, id_text)
    assert other.look(dag, 0, id_text) == fresh, "another epoch has begun"
