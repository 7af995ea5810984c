"""What members would do next, in words and numbers that can be checked by hand."""

from dataclasses import replace

import pytest

from consensus.keys import id_text
from consensus.ledger.priorities.work import Work
from consensus.ledger.records.entities import Lineage, Model
from consensus.ledger.records.transactions import Profile
from consensus.settings import SteeringSettings
from node.api.steering import SteeringInfo
from node.report.steering import _why, steering
from tests.consensus.ledger.rules.test_siblings import Family
from tests.consensus.ledger.swarm import Swarm
from tests.consensus.ledger.test_priorities import Crowd
from tests.consensus.ledger.worker import QUICK

PLAYED = ("hex8-2", "hexagonal-2", "square8-3")


def tell_roles(swarm: Swarm, member: int, *roles: str) -> None:
    profile = Profile(swarm.next_id(member), roles=roles, device="cpu", software=bytes(32), rates={}, cost=0, life=0)
    swarm.act(member, profile)


def told(swarm: Swarm) -> SteeringInfo:
    return steering(swarm.ledger, [swarm.id(number) for number in range(4)], id_text)


def reasons(swarm: Swarm) -> list[tuple[str, str, str]]:
    return [(want["kind"], want["configuration"], want["reason"]) for want in told(swarm)["wants"]]


def test_each_member_has_a_reason() -> None:
    swarm = Swarm(4)
    for member, role in enumerate(("selfplay", "train", "match")):
        tell_roles(swarm, member, role)
    plays, trains, measures, silent = reasons(swarm)
    enough = swarm.ledger.settings_on("hex8-2").selfplay.ceiling
    words = f"it has the fewest new and claimed games: 0, and {enough:,} are enough"
    assert plays == ("selfplay", "hex8-2", words)
    assert trains == ("", "", "nothing is wanted of train, and it does not play")
    assert measures == ("", "", "nothing is wanted of match, and it does not play")
    assert silent == ("", "", "it has not told yet what it does")
    assert told(swarm)["shares"] == []


def test_who_trains_and_who_measures_is_told_why() -> None:
    swarm = Swarm(4)
    for member in range(4):
        tell_roles(swarm, member, "match", "selfplay", "train")
    needed = told(swarm)["needs"][0]["training_games"]
    swarm.play(0, needed)
    assert {entry[:2] for entry in reasons(swarm)} == {("train", "hex8-2")}
    assert reasons(swarm)[0][2] == f"{needed:,} new games, {needed:,} are enough to train, and nobody does"
    swarm.nominate(1)
    swarm.act(0)  # a round for the beacon
    assert reasons(swarm)[2] == ("match", "hex8-2", "a candidate's match has a free slot, and matches come first")
    assert told(swarm)["needs"][0]["candidates"] == 1


def test_a_series_is_told_from_self_play() -> None:
    swarm = Swarm(4)
    answer = told(swarm)
    work = Work(kind="rate", configuration="hex8-2", amount=8, model=bytes(32), candidate=bytes(32))
    assert _why(work, answer["needs"], ()) == "a series that rates a model has a free slot"


@pytest.mark.parametrize("seed", range(2))
def test_all_numbers_follow_from_those_beside_them(seed: int) -> None:
    swarm = Swarm(4, replace(QUICK, configurations=PLAYED, steering=SteeringSettings(rules=1)))
    for member in range(4):
        tell_roles(swarm, member, "match", "selfplay", "train")
    crowd = Crowd(swarm, seed)
    for _ in range(4):
        crowd.run(30, promotions=99)
        answer = told(swarm)
        shares = answer["shares"]
        assert [entry["configuration"] for entry in shares] == list(PLAYED)
        assert sum(entry["share"] for entry in shares) == 1000
        for entry in shares:
            assert all(signal["product"] == signal["value"] * signal["weight"] for signal in entry["signals"])
            assert entry["sum"] == max(1, sum(signal["product"] for signal in entry["signals"]))
            assert entry["weight"] == entry["sum"] * entry["starvation"]
            assert entry["floor"] <= entry["share"] <= entry["quota"]
            deficit = entry["share"] * entry["total"] / 1000 - entry["delivered"] - entry["claimed"]
            assert abs(entry["deficit"] - deficit) <= 3  # whole evaluations of thousandths
        for want in answer["wants"]:
            share = next((entry for entry in shares if entry["configuration"] == want["configuration"]), None)
            if share is not None and want["kind"] == "selfplay":
                assert f"share of {share['share'] / 10:g}%: {share['deficit']:,} evaluations" in want["reason"]


def test_where_a_training_starts_is_told_with_the_reason() -> None:
    swarm = Family("hex8-2", "hex8-3", "square8-2")
    assert {need["starts_from"] for need in told(swarm)["needs"]} == {"new networks"}
    swarm.give("hex8-2", points=(3, 2) * 32)
    own = swarm.give("square8-2")
    lineages = {"c16b2": Lineage(Model(bytes(32), {}, "c16b2", None), None, 0, 0)}
    swarm.ledger._state.configurations["square8-2"] = replace(own, lineages=lineages)
    assert {need["configuration"]: need["starts_from"] for need in told(swarm)["needs"]} == {
        "hex8-2": "its canonical model",
        "hex8-3": "hex8-2 or new networks: same board, promotions 4, +86 Elo to the heuristic",
        "square8-2": "its own newest weights",
    }
