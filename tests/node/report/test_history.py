"""What was delivered when, and the matches slot by slot, from a ledger."""

from dataclasses import replace

from consensus.keys import id_text
from consensus.settings import SteeringSettings
from node.report.history import history
from node.report.matches import match
from tests.consensus.ledger.swarm import SMALL, Swarm


def test_what_was_delivered_is_summed_by_configuration_and_member() -> None:
    swarm = Swarm(4)
    for member in (0, 1, 1):
        swarm.play(member)
    told = history(swarm.ledger, id_text)
    assert (told["axis"], told["unit"], told["end"]) == ("round", "plies", swarm.ledger.round)
    plies = {entry.name: entry.plies for entry in swarm.ledger.configurations()}
    assert {name: sum(row) for name, row in told["configurations"].items()} == plies
    assert [entry["member"] for entry in told["members"]] == [id_text(swarm.id(1)), id_text(swarm.id(0))]
    assert sum(told["members"][0]["amounts"]) == 2 * sum(told["members"][1]["amounts"])
    assert told["members"][0]["amounts"][-1], "the newest is in the last interval"


def test_the_ledger_s_clock_is_the_axis_where_it_is_kept() -> None:
    swarm = Swarm(4, replace(SMALL, steering=SteeringSettings(rules=1)))
    assert history(swarm.ledger, id_text)["members"] == []
    swarm.play(0)
    told = history(swarm.ledger, id_text)
    assert (told["axis"], told["unit"], told["end"]) == ("clock", "evaluations", 0)
    assert sum(told["members"][0]["amounts"]) > 0


def test_a_match_has_the_slots_of_an_open_and_of_a_promoted_candidate() -> None:
    swarm = Swarm(4)
    candidate = swarm.nominate(0)
    swarm.ripen(candidate)
    told = match(swarm.ledger, id_text, candidate, lambda digest: True)
    assert told is not None
    assert told["complete"]
    assert sum(slot["counted"] for slot in told["slots"]) == told["candidate"]["counted"] > 0
    info = told["candidate"]
    assert info["llr"] >= info["accepts_at"] > 0 > info["rejects_at"]
    for member in (0, 2, 3):
        swarm.vote(member, candidate)
    promoted = match(swarm.ledger, id_text, candidate, lambda digest: False)
    assert promoted is not None
    assert promoted["candidate"]["state"] == "promoted"
    assert promoted["candidate"]["llr"] == info["llr"]
    assert promoted["slots"] == [{**slot, "kept": False} for slot in told["slots"]]
    assert match(swarm.ledger, id_text, bytes(32), lambda digest: True) is None
