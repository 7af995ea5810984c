"""Candidates and their matches: who may nominate, who may play which slot, what counts."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest

from consensus.ledger.records import transactions as t
from consensus.ledger.records.beacon import beacon, slot_lot
from consensus.ledger.records.cases import report_of
from consensus.ordered import Judge
from consensus.settings import MatchSettings
from tests.consensus.ledger.swarm import Swarm, digest_of, settings


def test_a_candidate_must_name_the_canonical_incumbent_and_be_new() -> None:
    swarm = Swarm()
    first = swarm.candidate(0)
    swarm.act(0, replace(first, incumbent=bytes(32)))
    assert swarm.refusal() == "incumbent is not canonical"
    about: dict[str, Any] = {"files": {}, "architecture": "uniform", "model": t.UNIFORM}
    swarm.act(0, replace(first, id=swarm.next_id(0), **about))
    assert swarm.refusal() == "model is canonical"
    swarm.act(0, replace(first, id=swarm.next_id(0), shards=(bytes(32),)))
    assert swarm.refusal() == "unknown shard"
    swarm.act(0, replace(first, id=swarm.next_id(0)))
    assert swarm.kinds() == ["candidate"]
    swarm.act(1, replace(first, id=swarm.next_id(1)))
    assert swarm.refusal() == "model is a candidate"
    swarm.act(0, swarm.candidate(0, "second"))
    assert swarm.refusal() == "author has an open candidate"
    swarm.act(1, swarm.candidate(1, "second"))
    assert swarm.refusal() is None


def test_a_candidate_ends_its_training_claim() -> None:
    swarm = Swarm()
    claim = swarm.next_id(0)
    swarm.act(0, t.TrainClaim(claim, "hex8-2", "c32b4"))
    news = swarm.candidate(0)
    swarm.act(0, replace(news, claim=claim))
    assert swarm.refusal() == "candidate of another claim"
    swarm.act(0, replace(news, id=swarm.next_id(0), claim=77))
    assert swarm.refusal() == "claim not live"
    claim = swarm.next_id(0)
    swarm.act(0, t.TrainClaim(claim, "hex8-2", "c16b2"))
    model, files = swarm.model("first", t.UNIFORM)
    about: dict[str, Any] = {"model": model, "files": files, "parent": t.UNIFORM}
    swarm.act(0, replace(news, id=swarm.next_id(0), claim=claim, **about))
    assert swarm.kinds() == ["candidate"]
    assert [live.family for live in swarm.ledger.claims()] == ["c32b4"]


def test_slots_wait_for_the_seeds() -> None:
    swarm = Swarm()
    news = swarm.candidate(0)
    candidate = t.candidate_id(swarm.id(0), news.id)
    swarm.order((swarm.id(0), [news.as_table()]), (swarm.id(1), [t.MatchClaim(0, candidate).as_table()]))
    assert swarm.refusal() == "seeds are not fixed yet"
    swarm.ask(2, candidate)
    assert swarm.refusal() == "seeds are not fixed yet"
    swarm.ask(3, candidate)
    assert swarm.kinds() == ["beacon", "claim"]


def test_who_may_take_which_slot() -> None:
    swarm = Swarm()
    candidate = swarm.nominate(0)

    def open_to(member: int) -> set[int]:
        open_ = swarm.ledger.candidate(candidate)
        assert open_ is not None
        return set(swarm.ledger.open_slots(open_, swarm.id(member)))

    assert open_to(0) == set()  # the author
    swarm.ask(0, candidate)
    assert swarm.refusal() == "no slot for this member"
    assert open_to(1) == open_to(2) == set(range(8))  # two a member, of sixteen
    swarm.play_slot(1, candidate, 0)
    assert open_to(1) == set(range(2, 9))
    assert open_to(2) == set(range(1, 9))
    swarm.play_slot(1, candidate, 3)
    assert open_to(1) == {4, 5, 6, 7, 8}
    swarm.claim_slot(2, candidate, 2)
    assert open_to(3) == {1, 4, 5, 6, 7, 8}
    swarm.ask(2, candidate)
    assert swarm.refusal() == "member has a claim on this match"
    swarm.ask(3, bytes(32))
    assert swarm.refusal() == "no open candidate"


def test_the_slot_is_drawn_by_the_beacon_of_the_second_round_after_the_claim() -> None:
    drawn = Counter[int | None]()
    for number in range(200):
        swarm = Swarm()
        candidate = swarm.nominate(0)
        claim = swarm.ask(1, candidate)
        (live,) = swarm.ledger.claims()
        assert live.waits
        assert swarm.ledger.waits_for_beacon
        swarm.order()
        swarm.order(judges=())  # no judge, no beacon
        assert swarm.ledger.waits_for_beacon
        judge = Judge(digest_of(number), swarm.id(2), None)
        swarm.order(judges=(judge,))
        lot = slot_lot(beacon(swarm.genesis.digest, len(swarm.rounds), (judge,), ()), swarm.id(1), claim)
        (live,) = swarm.ledger.claims()
        assert live.slot == lot % 8
        assert swarm.last[0].kind == "slot"
        assert swarm.last[0].fields["slot"] == live.slot
        drawn[live.slot] += 1
    assert set(drawn) == set(range(8))
    assert max(drawn.values()) < 50  # of 25 each; more has a chance below 1 in 100,000


def test_who_gives_a_slot_back_or_lets_it_lapse_draws_no_other_one() -> None:
    swarm = Swarm()
    candidate = swarm.nominate(0)
    drawn = []
    for turn in range(6):
        claim = swarm.ask(1, candidate)
        swarm.order()
        swarm.order()
        drawn += [live.slot for live in swarm.ledger.claims()]
        if turn % 2:
            swarm.wait(130)
        else:
            swarm.act(1, t.Release(swarm.next_id(1), claim, "I would rather have another"))
        assert swarm.ledger.claims() == ()
    (slot,) = set(drawn)
    assert slot is not None
    swarm.claim_slot(2, candidate, slot)  # now somebody else has it
    open_ = swarm.ledger.candidate(candidate)
    assert open_ is not None
    assert set(swarm.ledger.open_slots(open_, swarm.id(1))) == set(range(8)) - {slot}


def test_claims_that_find_no_slot_left_end_and_say_so() -> None:
    swarm = Swarm(4, settings(match=MatchSettings(slot_blocks=2, block_limit=4)))
    candidate = swarm.nominate(0)
    swarm.order(
        *((swarm.id(member), [t.MatchClaim(swarm.next_id(member), candidate).as_table()]) for member in (3, 1, 2))
    )
    assert swarm.kinds() == ["claim"] * 3
    swarm.order()
    swarm.order()
    assert [(effect.kind, effect.member) for effect in swarm.last] == [
        ("slot", swarm.id(3)),
        ("slot", swarm.id(1)),
        ("release", swarm.id(2)),
    ]
    assert swarm.last[2].fields["reason"] == "no slot is left"
    assert {claim.author for claim in swarm.ledger.claims()} == {swarm.id(1), swarm.id(3)}


@pytest.mark.parametrize("count", [1, 2])
def test_small_swarms_play_their_own(count: int) -> None:
    swarm = Swarm(count)
    candidate = swarm.nominate(0)
    for slot in range(6):
        swarm.play_slot(0, candidate, slot)
    assert swarm.kinds() == ["result", "ripe"]


def test_two_of_three_others_finish_every_match() -> None:
    """The third plays some, holds one and dies; whatever it held, the other two can play all of it."""
    swarm = Swarm(settings=settings(match=MatchSettings(slot_blocks=2, block_limit=16)))
    candidate = swarm.nominate(0)
    for slot in (0, 3):
        swarm.play_slot(3, candidate, slot, score=2)
    swarm.claim_slot(3, candidate, 5)
    swarm.wait(130)
    for slot in (1, 2, 4, 5, 6, 7):
        open_ = swarm.ledger.candidate(candidate)
        assert open_ is not None
        takers = [member for member in (1, 2) if slot in swarm.ledger.open_slots(open_, swarm.id(member))]
        assert takers
        swarm.play_slot(takers[-1], candidate, slot, score=2)
    assert swarm.ledger.closed_candidates()[-1].outcome == "limit"


def test_a_late_result_counts_if_nobody_else_was_granted_the_slot() -> None:
    swarm = Swarm()
    candidate = swarm.nominate(0)
    claim = swarm.claim_slot(1, candidate, 0)
    swarm.wait(130)
    assert swarm.ledger.claims() == ()
    swarm.act(1, swarm.result(1, claim, 0, 4))
    assert swarm.kinds() == ["result"]
    claim = swarm.claim_slot(1, candidate, 2)
    swarm.wait(130)
    swarm.claim_slot(3, candidate, 2)
    assert swarm.refusal() is None
    swarm.act(1, swarm.result(1, claim, 2, 4))
    assert swarm.refusal() == "claim not live"


def test_a_result_after_all_of_a_slot_that_was_given_back_counts_too() -> None:
    swarm = Swarm()
    candidate = swarm.nominate(0)
    claim = swarm.claim_slot(1, candidate, 0)
    swarm.act(1, t.Release(swarm.next_id(1), claim, ""))
    swarm.act(1, swarm.result(1, claim, 0, 4))
    assert swarm.kinds() == ["result"]


def test_results_must_be_of_the_claimed_blocks_and_possible() -> None:
    swarm = Swarm()
    candidate = swarm.nominate(0)
    claim = swarm.claim_slot(1, candidate, 1)
    good = swarm.result(1, claim, 1, 4)
    wrong: dict[str, dict[str, Any]] = {
        "result of other blocks": {"scores": ((0, 4), (1, 4))},
        "impossible score": {"scores": ((2, 4), (3, 5))},
        "wrong number of games": {"games": 5},
        "claim not live": {"claim": 1000},
    }
    for reason, change in wrong.items():
        swarm.act(1, replace(good, id=swarm.next_id(1), **change))
        assert swarm.refusal() == reason
    swarm.act(2, replace(good, id=swarm.next_id(2)))
    assert swarm.refusal() == "claim not live"
    swarm.act(1, replace(good, id=swarm.next_id(1)))
    assert swarm.refusal() is None
    swarm.act(1, replace(good, id=swarm.next_id(1)))
    assert swarm.refusal() == "claim not live"


def test_only_the_complete_prefix_counts() -> None:
    swarm = Swarm(5)  # ten slots are in play
    candidate = swarm.nominate(0)
    for slot in (1, 3, 4, 5, 6, 7, 8, 9):
        swarm.play_slot(1 + slot % 3, candidate, slot)
        assert swarm.last[-1].fields["counted"] == 0, slot
    swarm.play_slot(3, candidate, 2)
    swarm.play_slot(3, candidate, 0)
    assert swarm.kinds() == ["result", "ripe"]
    assert swarm.last[-1].fields["blocks"] == 12


def test_at_the_block_limit_the_share_of_the_points_decides() -> None:
    match = MatchSettings(slot_blocks=2, block_limit=8, p1=Fraction(13, 20), limit_share=Fraction(5, 8))
    for scores, promoted in (((3, 2, 3, 2), True), ((3, 2, 3, 1), False)):
        swarm = Swarm(5, settings(match=match))
        candidate = swarm.nominate(0)
        for slot, score in reversed(list(enumerate(scores))):
            swarm.play_slot(1 + slot % 2, candidate, slot, score)
        assert swarm.kinds() == ["result", "ripe" if promoted else "dropped"]
        assert swarm.last[-1].fields["blocks"] == 8
        if promoted:
            assert swarm.last[-1].fields["score"] == 20  # 5/8 of 32
            for member in range(1, 5):
                swarm.vote(member, candidate)
            test = json.loads(swarm.ledger.promotions()[0].statement)["predicate"]["test"]
            assert (test["decided_by"], test["limit"]["share"]) == ("limit", "5/8")
        else:
            assert swarm.last[-1].fields["outcome"] == "limit"
            assert swarm.last[-1].fields["reason"] == "undecided at the block limit, with too few points"
            swarm.act(3, swarm.candidate(3))
            assert swarm.refusal() == "model failed against this incumbent"


def test_a_share_of_1_at_the_limit_is_never_enough() -> None:
    match = MatchSettings(slot_blocks=2, block_limit=4, limit_share=Fraction(1))
    swarm = Swarm(4, settings(match=match))
    candidate = swarm.nominate(0)
    for slot in range(2):
        swarm.play_slot(1 + slot, candidate, slot)
    assert swarm.kinds() == ["result", "dropped"]


def test_a_wrong_result_opens_a_match_again_that_the_limit_had_decided() -> None:
    """The slot is played again, and the limit decides anew."""
    match = MatchSettings(slot_blocks=2, block_limit=8, p1=Fraction(13, 20))
    swarm = Swarm(5, settings(match=match))
    candidate = swarm.nominate(0)
    for slot in range(4):
        swarm.play_slot(1 + slot % 2, candidate, slot, score=3)
    open_ = swarm.ledger.candidate(candidate)
    assert open_ is not None
    assert open_.ripe is not None
    report = report_of(open_, 3)
    assert report is not None
    for member in (0, 1, 3, 4):
        number = swarm.next_id(member)
        swarm.act(
            member, t.Finding(number, candidate=candidate, slot=3, result=report.digest, wrong=True, reason="wrong")
        )
    assert swarm.last[-1].fields["reopened"]
    swarm.play_slot(3, candidate, 3, score=0)
    assert swarm.kinds() == ["result", "ripe"]
    assert swarm.last[-1].fields["score"] == 18
    open_ = swarm.ledger.candidate(candidate)
    assert open_ is not None
    assert swarm.ledger.standing(open_).at_limit


def test_the_verdict_does_not_depend_on_the_order_of_arrival() -> None:
    scores = {
        0: 4,
        1: 0,
        2: 4,
        3: 4,
        4: 1,
        5: 4,
        6: 4,
        7: 4,
        8: 4,
        9: 4,
        10: 4,
        11: 4,
        12: 4,
        13: 4,
        14: 4,
        15: 4,
    }
    verdicts = set()
    for order in (list(range(16)), list(range(15, -1, -1)), [slot ^ 5 for slot in range(16)]):
        swarm = Swarm(8)  # all sixteen slots are in play
        candidate = swarm.nominate(0)
        for slot in order:
            if swarm.ledger.candidates()[0].ripe is None:
                swarm.play_slot(1 + slot % 2, candidate, slot, scores[slot])
        ripe = swarm.ledger.candidates()[0].ripe
        assert ripe is not None
        verdicts.add((ripe.blocks, ripe.score, ripe.llr))
    assert len(verdicts) == 1


def test_a_ripe_match_ends_the_claims_on_it() -> None:
    swarm = Swarm()
    candidate = swarm.nominate(0)
    claim = swarm.claim_slot(3, candidate, 7)
    swarm.ripen(candidate)
    assert swarm.ledger.claims() == ()
    swarm.act(3, swarm.result(3, claim, 7, 4))
    assert swarm.refusal() == "match is over"
    swarm.ask(3, candidate)
    assert swarm.refusal() == "match is over"


def test_a_candidate_that_failed_is_not_tested_again_against_the_same_incumbent() -> None:
    swarm = Swarm()
    candidate = swarm.nominate(0)
    for slot in range(5):
        swarm.play_slot(1 + slot % 2, candidate, slot, score=0)
    assert swarm.kinds() == ["result", "dropped"]
    dropped = swarm.last[-1].fields
    assert (dropped["outcome"], dropped["blocks"], dropped["score"]) == ("rejected", 9, 0)
    swarm.act(1, swarm.candidate(1))
    assert swarm.refusal() == "model failed against this incumbent"
    swarm.promote(2, "other")
    swarm.act(1, swarm.candidate(1))
    assert swarm.refusal() is None


def test_a_match_without_results_is_dropped_in_time_and_frees_its_slots() -> None:
    swarm = Swarm()
    candidate = swarm.nominate(0)
    swarm.wait(600)
    swarm.play_slot(1, candidate, 0)
    swarm.claim_slot(1, candidate, 2)
    assert "dropped" not in [effect.kind for effect in swarm.wait(890)]
    swarm.claim_slot(1, candidate, 2)
    effects = swarm.wait(30)
    assert [effect.fields["outcome"] for effect in effects if effect.kind == "dropped"] == ["idle"]
    assert not swarm.ledger.claims()
    assert not swarm.ledger.candidates()
    swarm.act(2, swarm.candidate(2))
    assert swarm.refusal() is None  # it did not fail


def test_settings_are_copied_into_the_match() -> None:
    swarm = Swarm()
    swarm.nominate(0)
    assert swarm.ledger.candidates()[0].settings == swarm.genesis.settings.match


def test_an_earlier_model_can_be_nominated_again() -> None:
    """Rolling back: it has to beat the canonical one, and leaves a certificate like any other."""
    swarm = Swarm()
    swarm.promote(0)
    swarm.promote(1, "second")
    swarm.certify(swarm.promote(3), (0, 1, 2))
    first, _, third = swarm.ledger.promotions()
    assert third.model == first.model == swarm.ledger.configuration("hex8-2").model
    assert third.certified == 3
    swarm.act(2, replace(swarm.candidate(2), model=t.UNIFORM, files={}, architecture="uniform"))
    assert swarm.refusal() is None


def test_a_result_says_where_the_match_stands() -> None:
    swarm = Swarm()
    candidate = swarm.nominate(0)
    swarm.play_slot(1, candidate, 0, score=3)
    (effect,) = swarm.last
    assert dict(effect.fields) == {
        "candidate": candidate,
        "configuration": "hex8-2",
        "slot": 0,
        "score": 6,
        "most": 8,
        "counted": 2,
        "total": 6,
        "llr": "0.215208924732",
    }
    result = swarm.ledger.candidates()[0].slots[0].result
    assert result is not None
    assert result.root == digest_of("root", 0)
