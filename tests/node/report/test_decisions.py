"""What a node tells of the decisions of members: what holds, what is paused, what it does not know."""

from dataclasses import replace

from consensus.ledger.records.decisions import SteeringChange
from consensus.settings import SteeringSettings
from node.report.decisions import decisions
from tests.consensus.ledger.swarm import SMALL, Swarm


def name_of(member: bytes) -> str:
    return member.hex()[:8]


def test_what_holds_and_what_is_not_known() -> None:
    swarm = Swarm(4, replace(SMALL, steering=SteeringSettings(rules=1)))
    nothing = {"settings_version": 0, "changed": [], "paused": [], "unknown": []}
    assert decisions(swarm.ledger, name_of) == nothing
    swarm.agree(SteeringChange("set", setting="match.p1", value="3/5", configuration="hex8-2"), 0, 1, 2)
    first = swarm.ledger.round
    swarm.agree(SteeringChange("add", configuration="square8-3"), 1, 2, 3)
    swarm.agree(SteeringChange("pause", work="train"), 2, 3, 0)
    swarm.propose(0, SteeringChange("set", setting="steering.coming", value="7"))
    swarm.propose(0, SteeringChange("add", configuration="hex12-2"))
    swarm.propose(0, SteeringChange("resume"))
    found = decisions(swarm.ledger, name_of)
    assert found["settings_version"] == 2
    assert [entry["text"] for entry in found["changed"]] == [
        "match.p1 becomes 3/5 on hex8-2",
        "square8-3 is played, too",
    ]
    assert found["changed"][0] == {
        "text": "match.p1 becomes 3/5 on hex8-2", "setting": "match.p1", "value": "3/5", "configuration": "hex8-2",
        "work": None, "version": 1, "by_name": name_of(swarm.id(0)), "round": first,
    }  # fmt: skip
    assert [(entry["text"], entry["by_name"]) for entry in found["paused"]] == [
        ("training pauses", name_of(swarm.id(2)))
    ]
    assert found["unknown"] == ["steering.coming becomes 7", "hex12-2 is played, too"]
