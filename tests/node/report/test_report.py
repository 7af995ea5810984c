"""The ledger as people read it: each figure of a candidate comes from what was ordered."""

from dataclasses import replace

import pytest

from consensus.keys import id_text
from consensus.ledger.records.changes import Change
from consensus.ledger.records.transactions import Profile, Release
from node.gossip.peer_table import PeerStatus
from node.gossip.peers import ContactState
from node.report import ledger as shown
from node.report.conduct import conduct
from node.report.effect_log import EffectLog
from node.report.membership import announced
from node.report.peers import peer_state
from node.text.effects import sentence
from node.text.formatting import conduct as conduct_in_words
from node.text.formatting import hundredths, measures, percent, value_by_quarter
from tests.consensus.ledger.forks import fork
from tests.consensus.ledger.rules.test_findings import prove, report, say
from tests.consensus.ledger.swarm import Swarm


def test_a_promoted_candidate_keeps_its_votes() -> None:
    swarm = Swarm(4)
    candidate = swarm.nominate(0)
    swarm.ripen(candidate)
    swarm.vote(1, candidate, approve=False)
    (open_one,) = shown.work(swarm.ledger, id_text)["candidates"]
    assert (open_one["state"], open_one["approve"], open_one["reject"]) == ("ripe", 0, 1)
    for member in (0, 2, 3):
        swarm.vote(member, candidate)
    (promoted,) = shown.work(swarm.ledger, id_text)["candidates"]
    assert (promoted["state"], promoted["approve"], promoted["reject"]) == ("promoted", 3, 1)
    assert promoted["counted"] <= promoted["limit"] == swarm.genesis.settings.match.block_limit
    assert (promoted["score"], promoted["null_score"]) == (promoted["counted"] * 4, promoted["counted"] * 2)


def test_losses_are_told_of_open_candidates_only() -> None:
    swarm = Swarm(4)
    swarm.act(0, replace(swarm.candidate(0), losses={"policy": 1_934_217, "winner": -5}))
    (open_one,) = shown.work(swarm.ledger, id_text)["candidates"]
    assert open_one["losses"] == {"policy": 1.934217, "winner": -0.000005}
    swarm = Swarm(4)
    swarm.promote(0)
    (promoted,) = shown.work(swarm.ledger, id_text)["candidates"]
    assert (promoted["state"], promoted["losses"]) == ("promoted", None)


def test_measures_are_told_of_a_candidate_whatever_becomes_of_it() -> None:
    swarm, told = Swarm(4), {"brier": 190_000, "value_correlation_1": -2}
    swarm.measures = told
    candidate = swarm.nominate(0)
    assert [entry["measures"] for entry in shown.work(swarm.ledger, id_text)["candidates"]] == [told]
    swarm.ripen(candidate)
    for member in (1, 2):
        swarm.vote(member, candidate, approve=False)
    swarm.measures = {}
    swarm.promote(1, "second")
    swarm.measures = told
    swarm.promote(2, "third")
    entries = shown.work(swarm.ledger, id_text)["candidates"]
    assert [(entry["state"], entry["measures"]) for entry in entries] == [
        ("promoted", told),
        ("promoted", {}),
        ("dropped", told),
    ]
    assert [model["measures"] for model in shown.models(swarm.ledger, id_text)] == [{}, {}, told]


def test_measures_in_words() -> None:
    assert measures({}) == ""
    assert measures({"held_out_games": 1, "value_correlation_1": -4_000, "search_256_vs_64": 500_000}) == (
        "256 simulations score 50% against 64; value_correlation_1 -4,000; 1 held-out game"
    )
    assert value_by_quarter({f"value_correlation_{quarter}": -4_000 for quarter in (1, 2, 3, 4)}) == (
        "0.00 0.00 0.00 0.00"
    )
    assert (hundredths(None), hundredths(-37_000), percent(None)) == ("–", "-0.04", "–")


def test_a_profile_is_told_as_it_was_announced() -> None:
    swarm = Swarm(4)
    assert announced(None)["life_s"] is None
    swarm.act(
        2,
        Profile(
            swarm.next_id(2),
            roles=("match",),
            device="cuda",
            software=bytes(range(32)),
            rates={"plies": 9000},
            cost=350_000,
            life=7200,
        ),
    )
    assert announced(swarm.ledger.profiles()[swarm.id(2)]) == {
        "roles": ["match"],
        "device": "cuda",
        "version": "000102030405",
        "rates": {"plies": 9000},
        "cost_per_h": 350_000,
        "life_s": 7200,
    }
    swarm.act(2, Profile(swarm.next_id(2), roles=(), device="cpu", software=bytes(32), rates={}, cost=0, life=0))
    assert announced(swarm.ledger.profiles()[swarm.id(2)])["life_s"] is None


def test_votes_on_a_dropped_candidate_are_not_known() -> None:
    swarm = Swarm(4)
    candidate = swarm.nominate(0)
    swarm.ripen(candidate)
    for member in (1, 2):
        swarm.vote(member, candidate, approve=False)
    (dropped,) = shown.work(swarm.ledger, id_text)["candidates"]
    assert dropped["state"] == "dropped"
    assert dropped["reason"]
    assert (dropped["approve"], dropped["reject"]) == (None, None)


def test_a_proof_is_told_with_the_names_of_both() -> None:
    swarm = Swarm(4)
    log = EffectLog({swarm.id(1): "alpha", swarm.id(3): "delta"}.__getitem__)
    log.observe(swarm.act(1, fork(swarm, 3)))
    (told,) = (sentence(entry) for entry in log.latest(1))
    assert (
        told == "alpha: proves that delta signed two events with number 3 in epoch 0; nothing it says counts any more"
    )


def test_effects_have_the_same_numbers_at_a_node_that_begins_later() -> None:
    """As after a restart: what it has begins with the open epoch. Who reads on there misses and repeats nothing."""
    swarm = Swarm(4)
    first, second = EffectLog(str), EffectLog(str)
    for number in range(6):
        effects = swarm.act(1, Release(swarm.next_id(1), 99, "to be refused"))
        effects = (*effects, *effects)  # a round with several
        first.observe(effects)
        if number >= 3:
            second.observe(effects)
    entries = first.after(0)
    assert len(entries) == 12
    numbers = [entry["number"] for entry in entries]
    assert numbers == sorted(set(numbers))
    assert second.after(0) == entries[6:]
    assert second.after(entries[7]["number"]) == first.after(entries[7]["number"]) == entries[8:]
    assert first.after(entries[-1]["number"]) == []


def test_what_the_order_holds_against_members() -> None:
    swarm = Swarm(4)
    clean = conduct(swarm.ledger, id_text)
    assert [entry["id"] for entry in clean] == [id_text(member) for member in swarm.ledger.roster.ids]
    assert not any(conduct_in_words(entry) for entry in clean)
    candidate = swarm.nominate(0)
    swarm.ripen(candidate)
    first, second = report(swarm, candidate, 0), report(swarm, candidate, 1)
    prove(swarm, first, 0, 2, 3)
    say(swarm, 0, second, reason="move 9 is not legal")
    (case,) = shown.work(swarm.ledger, id_text)["cases"]
    assert (case["result"], case["reason"]) == (second.digest.hex(), "move 9 is not legal")
    assert (case["wrong"], case["right"]) == (1, 0)
    assert case["needs"] == 3
    (fault,) = shown.work(swarm.ledger, id_text)["faults"]
    assert (fault["slot"], fault["member"], fault["reason"]) == (0, id_text(first.result.author), "does not replay")
    counts = shown.counts(swarm.ledger)
    assert (counts["wrong_results"], counts["open_cases"]) == (1, 1)
    swarm.act(1, fork(swarm, 3))
    swarm.wait(90)
    words = {entry["name"]: conduct_in_words(entry) for entry in conduct(swarm.ledger, str)}
    assert "1 wrong result" in words[str(first.result.author)]
    assert words[str(swarm.id(3))].startswith("signed two events in one place in epoch 0, has no say")
    assert "no event in the order for" in words[str(swarm.id(3))]


def test_who_left_is_still_named_with_what_was_proven() -> None:
    swarm = Swarm(5)
    swarm.act(1, fork(swarm, 4))
    swarm.close()
    swarm.open(0, 1, 2, 3)
    swarm.agree(Change("leave", swarm.id(4)), 0, 1, 2, 3)
    swarm.close()
    gone = conduct(swarm.ledger, id_text)[-1]
    assert gone["id"] == id_text(swarm.id(4))
    assert (gone["equivocated"], gone["unheard_s"]) == (0, None)


@pytest.mark.parametrize(
    ("state", "refused_with", "told"),
    [("ok", None, "ok"), ("backoff", None, "silent"), ("backoff", 409, "silent"), ("backoff", 403, "refused")],
)
def test_a_peer_that_turns_this_node_away_is_told_from_a_silent_one(
    state: ContactState, refused_with: int | None, told: str
) -> None:
    peer = PeerStatus(
        id=bytes(32),
        state=state,
        contacted_s=1.0,
        lag=0,
        lead=0,
        bytes_sent=0,
        bytes_received=0,
        error="" if state == "ok" else "refused with 403, it says",  # what counts is the status
        refused_with=refused_with,
        reached=state == "ok",
        asked_us_s=None,
        flaps=0,
    )
    assert peer_state(peer) == told
