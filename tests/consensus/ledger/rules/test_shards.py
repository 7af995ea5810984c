"""Shards that are not what was announced are struck by more than 2/3; their authors' next ones wait for a check."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from consensus.ledger.priorities import training_shards
from consensus.ledger.records import transactions as t
from consensus.ledger.records.changes import Change
from consensus.ledger.records.shard_cases import MISSING
from consensus.ledger.steering.checks import due_shard_checks
from consensus.settings import MembershipSettings, SteeringSettings
from tests.consensus.ledger.forks import fork
from tests.consensus.ledger.swarm import Swarm, digest_of, facts_of, settings

STEERED = SteeringSettings(rules=1)


@pytest.fixture
def swarm() -> Swarm:
    return Swarm(4, settings(steering=STEERED))


def say(swarm: Swarm, member: int, shard: bytes, wrong: bool) -> None:
    swarm.act(member, t.ShardFinding(swarm.next_id(member), shard, wrong, "so it seems"))


def strike(swarm: Swarm, shard: bytes, members: tuple[int, ...] = (1, 2, 3)) -> None:
    for member in members:
        say(swarm, member, shard, wrong=True)


def games_of(swarm: Swarm) -> int:
    return swarm.ledger.configuration("hex8-2").games


def announce(swarm: Swarm, member: int, **changes: Any) -> str | None:
    """The refusal of a shard with some fields changed."""
    claim = swarm.next_id(member)
    swarm.act(member, t.SelfplayClaim(claim, "hex8-2", 10))
    facts = facts_of(swarm.genesis.settings, 10, 900)
    if "facts" in changes:
        facts = changes["facts"] if changes["facts"] is None else {**(facts or {}), **changes["facts"]}
    model = swarm.ledger.configuration("hex8-2").model.digest
    news = t.Games(
        swarm.next_id(member), claim=claim, configuration="hex8-2", model=model, shard=digest_of("s", claim), size=9,
        games=10, plies=900, root=digest_of("r"), facts=facts,
    )  # fmt: skip
    swarm.act(member, news)
    return swarm.refusal()


def test_a_shard_that_more_than_two_thirds_find_wrong_does_not_count(swarm: Swarm) -> None:
    good, bad = swarm.play(1), swarm.play(0)
    assert games_of(swarm) == 64
    cost = swarm.ledger.deliveries("hex8-2").cost
    strike(swarm, bad, (1, 2))
    assert games_of(swarm) == 64
    say(swarm, 3, bad, wrong=True)
    assert swarm.kinds() == ["shard_finding", "struck"]
    assert games_of(swarm) == 32
    assert [shard.digest for shard in training_shards(swarm.ledger, "hex8-2")] == [good]
    assert 2 * swarm.ledger.deliveries("hex8-2").cost == cost
    assert swarm.ledger.deliveries("hex8-2").within(swarm.ledger.clock, 10**12)[1] == 32
    assert swarm.ledger.games_played(swarm.id(0)) == 0
    assert swarm.ledger.fault_counts() == {swarm.id(0): 1}
    say(swarm, 0, bad, wrong=True)
    assert swarm.refusal() == "shard is struck"


def test_what_its_author_announces_next_waits_until_another_member_has_checked_one(swarm: Swarm) -> None:
    strike(swarm, swarm.play(0))
    first, second, other = swarm.play(0), swarm.play(0), swarm.play(1)
    assert games_of(swarm) == 32
    assert [shard.digest for shard in training_shards(swarm.ledger, "hex8-2")] == [other]
    assert due_shard_checks(swarm.ledger, swarm.id(1)) == ()
    say(swarm, 1, first, wrong=False)
    assert swarm.refusal() == "a shard of its author was struck lately"  # no accomplice makes that shorter
    swarm.wait(60)
    assert [shard.digest for shard in due_shard_checks(swarm.ledger, swarm.id(1))] == [first]
    assert due_shard_checks(swarm.ledger, swarm.id(0)) == ()
    say(swarm, 0, first, wrong=False)
    assert swarm.refusal() == "shard is the member's own"
    say(swarm, 1, second, wrong=False)
    assert swarm.kinds() == ["checked"]
    assert games_of(swarm) == 96
    swarm.play(0)
    assert games_of(swarm) == 128
    assert swarm.ledger.distrusted == {}
    assert swarm.replayed().digest() == swarm.ledger.digest()


def test_a_waiting_shard_that_is_wrong_is_struck_and_the_next_one_is_checked(swarm: Swarm) -> None:
    strike(swarm, swarm.play(0))
    first, second = swarm.play(0), swarm.play(0)
    strike(swarm, first)
    assert games_of(swarm) == 0
    swarm.wait(100)
    assert due_shard_checks(swarm.ledger, swarm.id(2)) == ()  # twice as long after the second fault
    swarm.wait(20)
    assert [shard.digest for shard in due_shard_checks(swarm.ledger, swarm.id(2))] == [second]
    say(swarm, 2, first, wrong=False)
    assert swarm.refusal() == "no open case"


def test_who_is_silenced_has_no_say_about_shards(swarm: Swarm) -> None:
    shard = swarm.play(1)
    for member in (0, 2):
        say(swarm, member, shard, wrong=True)
    swarm.act(3, fork(swarm, 0))
    assert swarm.kinds()[0] == "evidence"
    (case,) = swarm.ledger.shard_cases()
    assert [entry.author for entry in case.findings] == [swarm.id(2)]
    say(swarm, 3, shard, wrong=True)
    assert games_of(swarm) == 32
    assert swarm.replayed().digest() == swarm.ledger.digest()


def test_a_third_that_finds_it_right_closes_the_case_and_the_opener_cannot_open_it_again(swarm: Swarm) -> None:
    shard = swarm.play(1)
    say(swarm, 0, shard, wrong=True)
    assert [found.digest for found in due_shard_checks(swarm.ledger, swarm.id(2))] == [shard]
    assert due_shard_checks(swarm.ledger, swarm.id(0)) == ()
    say(swarm, 2, shard, wrong=False)
    say(swarm, 3, shard, wrong=False)
    assert swarm.kinds() == ["shard_finding", "shard_unproven"]
    say(swarm, 0, shard, wrong=True)
    assert swarm.refusal() == "member raised a false alarm"
    other = swarm.play(1)
    say(swarm, 0, other, wrong=True)
    assert swarm.refusal() == "member raised a false alarm"
    assert games_of(swarm) == 64
    swarm.wait(swarm.genesis.settings.timing.vote_s)
    say(swarm, 0, shard, wrong=True)
    assert swarm.refusal() == "member raised a false alarm"
    say(swarm, 0, other, wrong=True)
    assert swarm.refusal() is None
    strike(swarm, shard, (1, 2, 3))  # others may still find it wrong
    assert games_of(swarm) == 32


def test_a_case_ends_in_time_and_a_member_has_few_of_them(swarm: Swarm) -> None:
    shards = [swarm.play(1) for _ in range(5)]
    for shard in shards:
        say(swarm, 0, shard, wrong=True)
    assert swarm.refusal() == "too many open cases"
    assert len(swarm.ledger.shard_cases()) == 4
    say(swarm, 0, shards[0], wrong=True)
    assert swarm.refusal() == "member has said what it found"
    effects = swarm.wait(swarm.genesis.settings.timing.vote_s + 10)
    assert [effect.kind for effect in effects].count("shard_unproven") == 4
    assert swarm.ledger.shard_cases() == ()
    assert games_of(swarm) == 160


def test_a_shard_that_nobody_can_fetch_does_not_count_but_is_no_fault(swarm: Swarm) -> None:
    shard = swarm.play(0)
    for member in (1, 2, 3):
        swarm.act(member, t.ShardFinding(swarm.next_id(member), shard, True, MISSING))
    assert games_of(swarm) == 0
    assert (swarm.ledger.fault_counts(), swarm.ledger.distrusted) == ({}, {})
    seen = swarm.play(0)
    say(swarm, 1, seen, wrong=True)
    say(swarm, 2, seen, wrong=True)
    swarm.act(3, t.ShardFinding(swarm.next_id(3), seen, True, MISSING))
    assert swarm.ledger.fault_counts() == {swarm.id(0): 1}


def test_striking_an_old_shard_takes_no_new_games_away(swarm: Swarm) -> None:
    old = swarm.play(0)
    swarm.play(1)
    claim = swarm.next_id(2)
    swarm.act(2, t.TrainClaim(claim, "hex8-2", "c16b2"))
    held = swarm.ledger.claim(swarm.id(2), claim)
    assert held is not None
    model, files = swarm.model("trained", held.model)
    news = replace(swarm.candidate(2), claim=claim, model=model, files=files, parent=held.model, shards=(old,))
    swarm.act(2, news)
    assert swarm.refusal() is None
    new = swarm.play(1, games=20)
    assert swarm.ledger.configuration("hex8-2").new_games == 20
    strike(swarm, old)
    assert (games_of(swarm), swarm.ledger.configuration("hex8-2").new_games) == (52, 20)
    strike(swarm, new, (0, 2, 3))
    assert (games_of(swarm), swarm.ledger.configuration("hex8-2").new_games) == (32, 0)


def test_faults_in_shards_and_in_matches_together_propose_that_a_member_leaves() -> None:
    swarm = Swarm(4, settings(steering=STEERED, membership=MembershipSettings(faults=2)))
    strike(swarm, swarm.play(0))
    assert swarm.ledger.proposals() == ()
    strike(swarm, swarm.play(0))
    (proposal,) = swarm.ledger.proposals()
    assert isinstance(proposal.change, Change)
    assert (proposal.change.kind, proposal.change.member) == ("leave", swarm.id(0))


@pytest.mark.parametrize(
    ("facts", "detail"),
    [
        (None, "field facts is missing"),
        ({"searched": 901}, "field facts: searched must be 900 or less"),
        ({"decisive": 11}, "field facts: decisive must be 10 or less"),
        ({"duplicates": 10}, "field facts: duplicates must be 9 or less"),
        ({"value_error": 10**6 + 1}, "field facts: value_error must be 1000000 or less"),
        ({"entropy": 16_001}, "field facts: entropy must be 16000 or less"),
        ({"weather": 1}, "must have exactly"),
        ({"searched": -1}, "must be a whole number"),
    ],
)
def test_facts_that_cannot_be_are_refused(swarm: Swarm, facts: Any, detail: str) -> None:
    assert announce(swarm, 0) is None
    assert announce(swarm, 0, facts=facts) == "malformed"
    assert detail in str(swarm.last[-1].fields["detail"])


def test_without_the_switch_facts_and_findings_about_shards_are_what_they_always_were() -> None:
    swarm = Swarm(4)
    assert announce(swarm, 0, facts={"searched": 1}) == "malformed"
    assert swarm.last[-1].fields["detail"] == "unknown field"
    shard = swarm.play(0)
    swarm.act(1, t.ShardFinding(swarm.next_id(1), shard, True, ""))
    assert swarm.kinds() == []
    assert "shard_finding" not in swarm.ledger.accepted_counts()
    (kept,) = swarm.ledger.shards("hex8-2")
    assert (kept.facts, kept.seed, kept.standing) == (None, b"", "counted")
