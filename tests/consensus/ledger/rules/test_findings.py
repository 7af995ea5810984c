"""Findings: what it takes to prove a result wrong, what follows, and what false alarms cost."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from consensus.ledger import Ledger
from consensus.ledger.priorities import due_findings, due_votes
from consensus.ledger.records import transactions as t
from consensus.ledger.records.cases import SlotReport, report_of
from consensus.ledger.records.changes import Change
from consensus.ledger.records.entities import Candidacy
from consensus.settings import EpochSettings, MembershipSettings, TimingSettings
from tests.consensus.ledger.forks import fork
from tests.consensus.ledger.rules.test_votes import ripe
from tests.consensus.ledger.swarm import Swarm, settings


def open_(swarm: Swarm, candidate: bytes) -> Candidacy:
    found = swarm.ledger.candidate(candidate)
    assert found is not None
    return found


def report(swarm: Swarm, candidate: bytes, slot: int) -> SlotReport:
    found = report_of(open_(swarm, candidate), slot)
    assert found is not None
    return found


def say(swarm: Swarm, member: int, about: SlotReport, wrong: bool = True, reason: str = "does not replay") -> None:
    number = swarm.next_id(member)
    swarm.act(
        member,
        t.Finding(number, candidate=about.candidate, slot=about.slot, result=about.digest, wrong=wrong, reason=reason),
    )


def prove(swarm: Swarm, about: SlotReport, *members: int) -> None:
    for member in members:
        say(swarm, member, about)
    assert swarm.kinds()[0] == "finding"
    assert "fault" in swarm.kinds()


def test_more_than_two_thirds_prove_a_fault() -> None:
    swarm, candidate = ripe()
    about = report(swarm, candidate, 0)
    author = swarm.keys[1].id
    assert about.result.author == author
    say(swarm, 0, about)
    assert swarm.kinds() == ["finding"]
    assert swarm.last[0].fields["opens"] is True
    (case,) = swarm.ledger.cases()
    assert (case.id, case.accused, case.author) == (about.digest, author, swarm.id(0))
    say(swarm, 2, about)
    assert swarm.last[0].fields["opens"] is False
    assert not swarm.ledger.faults()
    say(swarm, 3, about)
    assert swarm.kinds() == ["finding", "fault"]
    assert swarm.last[-1].fields["count"] == 1
    assert not swarm.ledger.cases()
    (fault,) = swarm.ledger.faults()
    assert (fault.id, fault.accused, fault.reason, fault.report) == (about.digest, author, "does not replay", about)
    assert {entry.author for entry in fault.replays} == {swarm.id(0), swarm.id(2), swarm.id(3)}
    assert swarm.ledger.fault_counts() == {author: 1}
    assert swarm.replayed().digest() == swarm.ledger.digest()


def test_exactly_two_thirds_do_not_and_a_third_that_finds_it_right_ends_it() -> None:
    swarm, candidate = ripe(3)
    about = report(swarm, candidate, 0)
    say(swarm, 0, about)
    say(swarm, 1, about)
    assert swarm.ledger.cases()
    say(swarm, 2, about, wrong=False)
    assert swarm.kinds() == ["finding", "unproven"]
    assert not swarm.ledger.cases()
    assert not swarm.ledger.faults()
    assert open_(swarm, candidate).barred == (swarm.id(0),)


def test_what_a_fault_does_to_the_match() -> None:
    """Its slot is free, its author is out of the match, and votes on what was counted begin anew."""
    swarm, candidate = ripe()
    before = open_(swarm, candidate)
    swarm.vote(1, candidate)
    swarm.vote(2, candidate)
    prove(swarm, report(swarm, candidate, 0), 0, 2, 3)
    after = open_(swarm, candidate)
    accused = swarm.id(1)
    assert after.ripe is None
    assert after.ballots == ()
    assert after.faulty == (accused,)
    assert after.slots[0].result is None
    assert after.slots[1:] == before.slots[1:]
    assert swarm.ledger.standing(after).blocks == 0
    swarm.ask(1, candidate)
    assert swarm.refusal() == "no slot for this member"
    swarm.act(1, swarm.result(1, (before.slots[0].claim or (b"", 0))[1], 0, 4))
    assert swarm.refusal() == "claim not live"
    assert swarm.ledger.open_slots(after, swarm.id(2)) == (0,)  # before all new ones
    assert not swarm.ledger.open_slots(after, swarm.id(0))  # the candidate's author
    swarm.act(2, t.Release(swarm.next_id(2), swarm.claim_slot(2, candidate, 0), "later"))
    assert swarm.ledger.open_slots(open_(swarm, candidate), swarm.id(2)) == (0,)
    swarm.play_slot(2, candidate, 0)
    again = open_(swarm, candidate)
    assert again.ripe is not None
    assert before.ripe is not None
    assert again.ripe.results != before.ripe.results
    assert again.ripe.blocks == before.ripe.blocks
    swarm.vote(1, candidate)
    assert swarm.refusal() == "member reported a wrong result here"
    assert not due_votes(swarm.ledger, accused)
    swarm.act(2, t.Vote(swarm.next_id(2), candidate, False, before.ripe.results, "the first slot is wrong"))
    assert swarm.refusal() == "vote on other results"
    for member in (0, 2, 3):
        swarm.vote(member, candidate)
    assert swarm.kinds() == ["vote", "promotion"]


def test_a_slot_that_was_not_counted_leaves_the_candidate_ripe() -> None:
    swarm = Swarm()
    candidate = swarm.nominate(0)
    swarm.play_slot(1, candidate, 6)
    for slot in range(6):
        if open_(swarm, candidate).ripe is None:
            swarm.play_slot((2, 3)[slot % 2], candidate, slot)
    before = open_(swarm, candidate)
    assert before.ripe is not None
    assert before.ripe.blocks <= 12
    swarm.vote(1, candidate, approve=False)
    swarm.vote(2, candidate)
    prove(swarm, report(swarm, candidate, 6), 0, 2, 3)
    after = open_(swarm, candidate)
    assert after.ripe == before.ripe
    assert [ballot.author for ballot in after.ballots] == [swarm.id(2)]
    assert after.slots[6].result is None


def test_what_the_accused_still_held_in_the_match_ends() -> None:
    swarm = Swarm()
    candidate = swarm.nominate(0)
    swarm.play_slot(1, candidate, 0)
    lapsed = swarm.claim_slot(1, candidate, 2)
    swarm.act(1, t.Release(swarm.next_id(1), lapsed, "later"))
    prove(swarm, report(swarm, candidate, 0), 0, 2, 3)
    swarm.act(1, swarm.result(1, lapsed, 2, 4))
    assert swarm.refusal() == "claim not live"
    swarm = Swarm()
    candidate = swarm.nominate(0)
    swarm.play_slot(1, candidate, 0)
    live = swarm.claim_slot(1, candidate, 2)
    prove(swarm, report(swarm, candidate, 0), 0, 2, 3)
    assert swarm.kinds() == ["finding", "expired", "fault"]
    assert swarm.ledger.claim(swarm.id(1), live) is None
    assert all(slot.claim is None for slot in open_(swarm, candidate).slots)
    swarm.act(1, swarm.result(1, live, 2, 4))
    assert swarm.refusal() == "claim not live"


def test_only_a_wrong_on_a_present_result_opens_a_case() -> None:
    swarm, candidate = ripe()
    about = report(swarm, candidate, 0)
    say(swarm, 0, about, wrong=False)
    assert swarm.refusal() == "no open case"
    for other in (
        replace(about, slot=1), replace(about, slot=15), replace(about, slot=10**9), replace(about, beacon=bytes(32)),
        replace(about, result=replace(about.result, scores=(0, 0))),
    ):  # fmt: skip
        say(swarm, 0, other)
        assert swarm.refusal() == "finding on another result"
    say(swarm, 0, replace(about, candidate=bytes(32)))
    assert swarm.refusal() == "no open candidate"
    say(swarm, 0, about)
    swarm.act(2, t.Finding(swarm.next_id(2), candidate=candidate, slot=1, result=about.digest, wrong=True, reason=""))
    assert swarm.refusal() == "finding on another result"
    assert len(swarm.ledger.cases()) == 1


def test_each_member_says_one_thing_in_a_case() -> None:
    swarm, candidate = ripe()
    about = report(swarm, candidate, 0)
    say(swarm, 0, about)
    for wrong in (True, False):
        say(swarm, 0, about, wrong)
        assert swarm.refusal() == "member has said what it found"
    assert [case.id for case in due_findings(swarm.ledger, swarm.id(3))] == [about.digest]
    assert not due_findings(swarm.ledger, swarm.id(0))


def test_who_raised_a_false_alarm_raises_no_other_one_about_this_candidate() -> None:
    swarm, candidate = ripe(7)
    first, second = report(swarm, candidate, 0), report(swarm, candidate, 1)
    say(swarm, 2, first)
    say(swarm, 2, second)
    assert swarm.refusal() == "member has an open case"
    for member in (3, 4, 5):
        say(swarm, member, first, wrong=False)
    assert swarm.kinds() == ["finding", "unproven"]
    for about in (first, second):
        say(swarm, 2, about)
        assert swarm.refusal() == "member raised a false alarm"
    assert not swarm.ledger.can_open_case(swarm.id(2), open_(swarm, candidate))
    say(swarm, 3, second)
    assert swarm.kinds() == ["finding"]
    say(swarm, 2, second)  # in a case of somebody else it is heard
    assert swarm.kinds() == ["finding"]


def test_the_time_of_a_case_is_limited() -> None:
    swarm, candidate = ripe(settings=settings(timing=TimingSettings(vote_s=100, idle_s=10_000)))
    say(swarm, 0, report(swarm, candidate, 0))
    effects = swarm.wait(99)
    assert "unproven" not in [effect.kind for effect in effects]
    effects = swarm.wait(2)
    assert [effect.kind for effect in effects if effect.kind != "dropped"] == ["unproven"]
    assert not swarm.ledger.cases()


def test_one_member_opens_so_many_cases_and_no_more() -> None:
    """Over the candidates of several configurations, which may all be gone before the cases are."""
    names = ("hex8-2", "hex8-3", "hex8-4", "square8-2", "square8-3")
    swarm = Swarm(settings=settings(configurations=names))
    for number, name in enumerate(names):
        candidate = swarm.nominate(0, configuration=name)
        claim = swarm.claim_slot(1, candidate, 0)
        news = swarm.result(1, claim, 0, 1)
        swarm.act(1, replace(news, games=2 * int(name[-1])))
        assert swarm.refusal() is None
        say(swarm, 3, report(swarm, candidate, 0))
        assert swarm.refusal() == (None if number < 4 else "too many open cases")


def test_an_alarm_delays_no_vote() -> None:
    swarm, candidate = ripe()
    about = report(swarm, candidate, 0)
    say(swarm, 3, about)
    for member in (0, 1, 2):
        swarm.vote(member, candidate)
    assert "promotion" in swarm.kinds()
    assert [case.id for case in swarm.ledger.cases()] == [about.digest]
    for member in (0, 1):
        say(swarm, member, about, wrong=False)
    assert swarm.kinds() == ["finding", "unproven"]


def test_a_case_outlives_its_candidate() -> None:
    """The fault is noted; there is nothing to strike any more."""
    swarm, candidate = ripe()
    about = report(swarm, candidate, 0)
    say(swarm, 0, about)
    for member in (2, 3):
        swarm.vote(member, candidate, approve=False)
    assert swarm.ledger.candidate(candidate) is None
    assert due_findings(swarm.ledger, swarm.id(2))
    for member in (2, 3):
        say(swarm, member, about)
    assert swarm.kinds() == ["finding", "fault"]
    assert swarm.last[-1].fields["struck"] is False
    assert swarm.ledger.fault_counts() == {swarm.id(1): 1}


def test_a_case_survives_the_close_of_an_epoch_but_not_what_gone_members_found() -> None:
    swarm = Swarm(7)
    swarm.open(*range(7))
    candidate = swarm.nominate(0)
    swarm.ripen(candidate, (1, 2))
    about = report(swarm, candidate, 0)
    for member in (0, 3, 4, 5):
        say(swarm, member, about)
    assert not swarm.ledger.faults()
    swarm.agree(Change("leave", swarm.id(0)), 0, 1, 2, 3, 4)
    assert swarm.ledger.closing == "roster"
    closing = swarm.close()
    (case,) = swarm.ledger.cases()
    assert [entry.author for entry in case.replays] == [swarm.id(3), swarm.id(4), swarm.id(5)]
    restored = Ledger.restore(swarm.genesis, closing.record, closing.snapshot)
    assert restored.digest() == swarm.ledger.digest()
    assert restored.cases() == swarm.ledger.cases()
    assert not swarm.ledger.differences(restored)
    say(swarm, 6, about)
    assert "fault" not in swarm.kinds()
    say(swarm, 2, about)
    assert "fault" in swarm.kinds()


def test_findings_are_counted_again_when_weights_change() -> None:
    swarm = Swarm(5)
    swarm.open(*range(5))
    candidate = swarm.nominate(0)
    swarm.ripen(candidate, (1, 2))
    for member in (0, 2, 3):
        say(swarm, member, report(swarm, candidate, 0))
    swarm.agree(Change("weight", swarm.id(1), weight=0), 0, 1, 2, 3)
    swarm.close()
    assert not swarm.ledger.faults()
    swarm.order((swarm.id(4), []))
    assert swarm.kinds()[-1] == "fault"  # three of four


def test_nothing_that_an_equivocator_found_counts() -> None:
    swarm, candidate = ripe()
    about = report(swarm, candidate, 0)
    say(swarm, 2, about)
    say(swarm, 3, about)
    swarm.act(0, fork(swarm, 3))
    (case,) = swarm.ledger.cases()
    assert [entry.author for entry in case.replays] == [swarm.id(2)]
    say(swarm, 3, about)
    assert swarm.refusal() == "author is a proven equivocator"
    assert not due_findings(swarm.ledger, swarm.id(3))


def test_repeated_faults_propose_that_the_member_leaves() -> None:
    swarm = Swarm(settings=settings(membership=MembershipSettings(faults=2)))
    candidate = swarm.nominate(0)
    swarm.play_slot(1, candidate, 0)
    swarm.play_slot(1, candidate, 2)
    first, second = report(swarm, candidate, 0), report(swarm, candidate, 2)
    prove(swarm, first, 0, 2, 3)
    assert not swarm.ledger.proposals()
    prove(swarm, second, 0, 2, 3)
    assert swarm.kinds() == ["finding", "fault", "proposal"]
    (proposal,) = swarm.ledger.proposals()
    assert proposal.change == Change("leave", swarm.id(1))
    assert (proposal.author, proposal.reason) == (None, "results proven wrong: 2")


@pytest.mark.parametrize("limit", [0, 1])
def test_the_genesis_says_how_many_faults_that_takes(limit: int) -> None:
    swarm = Swarm(settings=settings(membership=MembershipSettings(faults=limit)))
    candidate = swarm.nominate(0)
    for slot in (0, 2, 4):
        swarm.play_slot(1, candidate, slot, score=2)
    for slot in (0, 2, 4):
        prove(swarm, report(swarm, candidate, slot), 0, 2, 3)
    assert len(swarm.ledger.proposals()) == limit  # a change is proposed once at a time


def test_the_newest_faults_are_kept_and_all_are_counted() -> None:
    swarm = Swarm(settings=settings(epoch=EpochSettings(events=200)))
    swarm.open(*range(4))
    candidate = swarm.nominate(0)
    swarm.play_slot(1, candidate, 0)
    prove(swarm, report(swarm, candidate, 0), 0, 2, 3)
    (fault,) = swarm.ledger.faults()
    state = swarm.ledger._state
    state.faults += [replace(fault, reason=str(number)) for number in range(70)]
    while swarm.ledger.closing is None:
        swarm.order(*[(swarm.id(0), [])] * 50)
    swarm.close()
    assert [entry.reason for entry in swarm.ledger.faults()] == [str(number) for number in range(6, 70)]
    assert swarm.ledger.fault_counts() == {swarm.id(1): 1}


@pytest.mark.parametrize("count", [4, 7, 10])
@pytest.mark.parametrize("seed", range(6))
def test_liars_below_a_third_convict_nobody_and_shield_nobody(count: int, seed: int) -> None:
    """Liars say anything in any order; honest members replay what is under suspicion and say what they find.

    Then no right result is ever struck and no vote of an honest member void, and each wrong result that an
    honest member comes upon is proven.
    """
    chance = random.Random(f"{count} {seed}")
    weights = drawn_weights(chance, count)
    liars = drawn_liars(chance, weights)
    honest = [member for member in range(count) if member not in liars]
    swarm = Swarm(count, settings(membership=MembershipSettings(faults=0)), weights=weights)
    author = chance.choice(honest)
    candidate = swarm.nominate(author)
    wrong_results = set()
    for slot in range(12):
        player = chance.choice([member for member in range(count) if can_play(swarm, candidate, member, slot)])
        swarm.play_slot(player, candidate, slot, score=2 + (slot % 3 == 0))
        if player in liars and chance.random() < 0.7:
            wrong_results.add(report(swarm, candidate, slot).digest)
    checked = [found for slot in range(12) if (found := report_of(open_(swarm, candidate), slot)) is not None]
    for _ in range(60):
        if chance.random() < 0.6 and liars:
            about = chance.choice(checked)
            say(swarm, chance.choice(liars), about, wrong=chance.random() < 0.6)
        else:
            check_as_honest(swarm, chance.choice(honest), candidate, wrong_results, chance)
    for _ in range(3 * len(wrong_results) + 3):
        for member in chance.sample(honest, len(honest)):
            check_as_honest(swarm, member, candidate, wrong_results, chance)
    assert {fault.id for fault in swarm.ledger.faults()} == wrong_results
    faulty = {swarm.keys.index(swarm.by_id[member]) for member in swarm.ledger.fault_counts()}
    assert faulty <= set(liars)
    assert set(open_(swarm, candidate).faulty) <= {swarm.id(member) for member in liars}
    assert not set(open_(swarm, candidate).barred) & {swarm.id(member) for member in honest}
    assert all(report_of(open_(swarm, candidate), about.slot) == about
               for about in checked if about.digest not in wrong_results)  # fmt: skip


def drawn_weights(chance: random.Random, count: int) -> tuple[int, ...]:
    while True:
        weights = tuple(chance.randrange(1, 6) for _ in range(count))
        if all(3 * weight < sum(weights) for weight in weights):
            return weights


def drawn_liars(chance: random.Random, weights: tuple[int, ...]) -> list[int]:
    """As many as there can be in a random order while they weigh less than a third."""
    liars: list[int] = []
    for member in chance.sample(range(len(weights)), len(weights)):
        if 3 * sum(weights[liar] for liar in (*liars, member)) < sum(weights):
            liars.append(member)
    return liars


def can_play(swarm: Swarm, candidate: bytes, member: int, slot: int) -> bool:
    return slot in swarm.ledger.open_slots(open_(swarm, candidate), swarm.id(member))


def check_as_honest(
    swarm: Swarm, member: int, candidate: bytes, wrong_results: set[bytes], chance: random.Random
) -> None:
    """What a node does: says what it finds in open cases, and opens one if it comes upon something wrong."""
    for case in due_findings(swarm.ledger, swarm.id(member)):
        say(swarm, member, case.report, case.id in wrong_results)
        return
    present = open_(swarm, candidate)
    found = [about for slot in range(12) if (about := report_of(present, slot)) is not None]
    wrong = [about for about in found if about.digest in wrong_results and swarm.ledger.case(about.digest) is None]
    if wrong and swarm.ledger.can_open_case(swarm.id(member), present):
        say(swarm, member, chance.choice(wrong))
        assert swarm.refusal() is None
