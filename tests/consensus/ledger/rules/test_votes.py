"""Votes and seals: what promotes, what drops, what makes a certificate."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from consensus.ledger.records import transactions as t
from tests.consensus.ledger.swarm import Swarm


def ripe(count: int = 4, **options: Any) -> tuple[Swarm, bytes]:
    swarm = Swarm(count, **options)
    candidate = swarm.nominate(0)
    others = list(range(1, count)) or [0]
    swarm.ripen(candidate, (others[0], others[-1]))
    return swarm, candidate


def test_more_than_two_thirds_promote() -> None:
    swarm, candidate = ripe()
    swarm.vote(0, candidate)
    swarm.vote(1, candidate)
    assert swarm.kinds() == ["vote"]
    swarm.vote(2, candidate)
    assert swarm.kinds() == ["vote", "promotion"]
    swarm.vote(3, candidate)
    assert swarm.refusal() == "no open candidate"


def test_exactly_two_thirds_do_not() -> None:
    swarm, candidate = ripe(3)
    swarm.vote(0, candidate)
    swarm.vote(1, candidate)
    assert not swarm.ledger.promotions()
    swarm.vote(2, candidate)
    assert swarm.ledger.promotions()


def test_weight_counts() -> None:
    swarm, candidate = ripe(3, weights=(3, 1, 1))
    swarm.vote(0, candidate)
    assert not swarm.ledger.promotions()
    swarm.vote(2, candidate)
    assert swarm.ledger.promotions()


def test_a_third_drops() -> None:
    swarm, candidate = ripe()
    swarm.vote(0, candidate, approve=False)
    assert swarm.kinds() == ["vote"]
    swarm.vote(1, candidate, approve=False)
    assert swarm.kinds() == ["vote", "dropped"]
    assert swarm.last[-1].fields["outcome"] == "votes"
    swarm, candidate = ripe(3)
    swarm.vote(2, candidate, approve=False)
    assert swarm.kinds() == ["vote", "dropped"]


def test_the_first_vote_of_a_member_counts_and_names_what_it_checked() -> None:
    swarm, candidate = ripe()
    swarm.act(1, t.Vote(swarm.next_id(1), candidate, True, bytes(32), ""))
    assert swarm.refusal() == "vote on other results"
    swarm.vote(1, candidate, approve=False)
    swarm.vote(1, candidate)
    assert swarm.refusal() == "member has voted"
    swarm.act(2, t.Vote(swarm.next_id(2), candidate, False, bytes(32), "game 7 does not replay"))
    assert swarm.refusal() == "vote on other results"
    reached = swarm.ledger.candidates()[0].ripe
    assert reached is not None
    swarm.act(2, t.Vote(swarm.next_id(2), candidate, False, reached.results, "game 7 does not replay"))
    assert swarm.last[0].fields["reason"] == "game 7 does not replay"
    assert swarm.kinds() == ["vote", "dropped"]


def test_no_vote_before_the_candidate_is_ripe() -> None:
    swarm = Swarm()
    candidate = swarm.nominate(0)
    swarm.vote(1, candidate)
    assert swarm.refusal() == "candidate is not ripe"


def test_votes_must_come_in_time() -> None:
    swarm, candidate = ripe()
    swarm.vote(1, candidate)
    assert "dropped" not in [effect.kind for effect in swarm.wait(590)]
    effects = swarm.wait(30)
    assert [effect.fields["outcome"] for effect in effects if effect.kind == "dropped"] == ["timeout"]
    swarm.vote(2, candidate)
    assert swarm.refusal() == "no open candidate"


def test_a_promotion_drops_the_others_of_the_configuration_as_stale() -> None:
    swarm, candidate = ripe()
    other = swarm.nominate(3, "second")
    swarm.claim_slot(1, other, 0)
    for member in range(3):
        swarm.vote(member, candidate)
    assert swarm.kinds() == ["vote", "promotion", "dropped"]
    assert swarm.last[-1].fields["outcome"] == "stale"
    assert not swarm.ledger.claims()
    assert not swarm.ledger.candidates()


def test_seals_are_signatures_over_the_ledger_s_own_statement() -> None:
    swarm = Swarm()
    statement = swarm.promote(0)
    good = swarm.seal(1, statement)
    swarm.act(1, replace(good, signature=bytes(64)))
    assert swarm.refusal() == "seal does not verify"
    swarm.act(2, replace(good, id=swarm.next_id(2)))
    assert swarm.refusal() == "seal does not verify"
    swarm.act(1, replace(good, id=swarm.next_id(1), statement=bytes(32)))
    assert swarm.refusal() == "unknown statement"
    swarm.act(1, replace(good, id=swarm.next_id(1)))
    assert swarm.kinds() == ["seal"]
    swarm.act(1, replace(good, id=swarm.next_id(1)))
    assert swarm.refusal() == "member has sealed"


def test_the_certificate_is_complete_above_two_thirds_and_once() -> None:
    swarm = Swarm()
    statement = swarm.promote(0)
    swarm.certify(statement, (3, 1))
    assert swarm.kinds() == ["seal"]
    swarm.certify(statement, (0,))
    assert swarm.kinds() == ["seal", "certificate"]
    assert swarm.last[-1].fields["seals"] == 3
    swarm.certify(statement, (2,))
    assert swarm.kinds() == ["seal"]
    promotion = swarm.ledger.promotion(statement)
    assert promotion is not None
    assert (len(promotion.seals), promotion.certified) == (4, 3)


def test_seals_of_an_earlier_promotion_still_count() -> None:
    swarm = Swarm()
    first = swarm.promote(0)
    second = swarm.promote(1, "second")
    swarm.certify(second, (0, 1, 2))
    swarm.certify(first, (0, 1, 2))
    assert [promotion.certified for promotion in swarm.ledger.promotions()] == [3, 3]


def test_self_play_switches_at_the_promotion_not_at_the_certificate() -> None:
    swarm = Swarm()
    swarm.promote(0)
    swarm.act(1, t.SelfplayClaim(swarm.next_id(1), "hex8-2", 5))
    assert swarm.last[0].fields["model"] == swarm.ledger.promotions()[0].model.digest
