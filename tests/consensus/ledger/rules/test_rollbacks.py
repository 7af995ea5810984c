"""A regression is noticed, the earlier model is nominated and has to win; a failure does not hold for ever."""

from __future__ import annotations

from dataclasses import replace

import pytest

from consensus.ledger.records import transactions as t
from consensus.ledger.rules.series import MILESTONES_KEPT
from consensus.ledger.steering.regression import compared_models, nominee, regression
from consensus.settings import SteeringSettings
from node.work.nominating import nomination
from tests.consensus.ledger.steering.rated import BLOCKS, STEERED, RatedSwarm

STRONG = [4, 3] * (BLOCKS // 2)
WEAK = [1, 0] * (BLOCKS // 2)
EQUAL = [2, 3] * (BLOCKS // 2)


def swarm_with(before: list[int], now: list[int]) -> RatedSwarm:
    """A swarm whose canonical model replaced another one; both have these points against the heuristic."""
    swarm = RatedSwarm()
    swarm.promote(0, "first")
    swarm.promote(1, "second")
    swarm.put(swarm.played(swarm.model_of("first"), "heuristic"), before)
    swarm.put(swarm.played(swarm.model_of("second"), "heuristic"), now)
    return swarm


def nominate_again(swarm: RatedSwarm, member: int) -> bytes:
    """The member nominates what it should, and waits for the beacon; the candidate."""
    model = nominee(swarm.ledger, "hex8-2")
    assert model is not None
    news = nomination(swarm.ledger, swarm.next_id(member), "hex8-2", model)
    swarm.act(member, news)
    assert swarm.refusal() is None
    swarm.order()
    swarm.order()
    return t.candidate_id(swarm.id(member), news.id)


def lose(swarm: RatedSwarm, candidate: bytes) -> None:
    slot, players = 0, [2, 3]
    while swarm.ledger.candidate(candidate) is not None:
        swarm.play_slot(players[slot % 2], candidate, slot, 0)
        slot += 1


def test_a_weaker_model_is_noticed_and_the_one_before_becomes_canonical_by_its_match() -> None:
    swarm = swarm_with(STRONG, WEAK)
    assert regression(swarm.ledger, "hex8-2") == 750
    candidate = nominate_again(swarm, 0)
    assert nominee(swarm.ledger, "hex8-2") is None  # one nomination is enough
    swarm.ripen(candidate, (2, 3))
    for voter in range(3):
        swarm.vote(voter, candidate)
    assert swarm.ledger.configuration("hex8-2").model.digest == swarm.model_of("first")
    assert swarm.ledger.configuration("hex8-2").promotions == 3
    assert len(swarm.ledger.promotions()[-1].statement) > 0
    assert regression(swarm.ledger, "hex8-2") == 0
    assert nominee(swarm.ledger, "hex8-2") is None


@pytest.mark.parametrize("now", [STRONG, EQUAL, STRONG[:4]])
def test_what_is_not_weaker_is_left_alone(now: list[int]) -> None:
    assert nominee(swarm_with(EQUAL, now).ledger, "hex8-2") is None


def test_a_few_blocks_are_no_evidence() -> None:
    assert nominee(swarm_with(STRONG, WEAK[:4]).ledger, "hex8-2") is None
    assert [entry.blocks for entry in compared_models(swarm_with(STRONG, WEAK[:4]).ledger, "hex8-2")] == [4, 0, 0]


def test_models_that_beat_the_fixed_opponents_alike_are_compared_with_each_other() -> None:
    best = [4] * BLOCKS
    swarm = swarm_with(best, best)
    direct = swarm.played(swarm.model_of("second"), "model", other=swarm.model_of("first"))
    swarm.put(direct, EQUAL)
    assert nominee(swarm.ledger, "hex8-2") is None
    swarm.put(direct, WEAK)
    assert nominee(swarm.ledger, "hex8-2") is not None
    assert regression(swarm.ledger, "hex8-2") == 375  # an equal player has 2 of 4 points, the model had 1/2


def test_a_weaker_model_that_was_replaced_at_once_is_noticed_against_the_strongest() -> None:
    """The second model is weak, and its equal replaces it before it has played: the two are as good as each other."""
    swarm = RatedSwarm()
    for member, name in enumerate(("first", "second", "third")):
        swarm.promote(member, name)
    first, second, third = map(swarm.model_of, ("first", "second", "third"))
    assert [entry.model.digest for entry in swarm.ledger.ratings("hex8-2").challengers] == [first, second]
    swarm.put(swarm.played(second, "heuristic"), WEAK)
    swarm.put(swarm.played(third, "heuristic"), WEAK)
    swarm.put(swarm.played(third, "model", other=second), EQUAL)
    assert nominee(swarm.ledger, "hex8-2") is None
    swarm.put(swarm.played(third, "model", other=first), WEAK)
    candidate = nominate_again(swarm, 3)
    assert nominee(swarm.ledger, "hex8-2") is None
    swarm.ripen(candidate, (0, 1))
    for voter in range(3):
        swarm.vote(voter, candidate)
    assert swarm.ledger.configuration("hex8-2").model.digest == first
    assert [entry.model.digest for entry in swarm.ledger.ratings("hex8-2").challengers] == [third]
    assert nominee(swarm.ledger, "hex8-2") is None


def test_the_strongest_is_the_last_that_held_its_own_against_the_strongest() -> None:
    swarm = RatedSwarm()
    for number, (name, points) in enumerate([("first", EQUAL), ("second", EQUAL), ("third", WEAK), ("fourth", WEAK)]):
        before = swarm.ledger.ratings("hex8-2").strongest
        swarm.promote(number % 2, name)
        best = swarm.ledger.ratings("hex8-2").strongest
        if best is not None:
            swarm.put(swarm.played(swarm.model_of(name), "model", other=best.model.digest), points)
        else:
            assert before is None
    best = swarm.ledger.ratings("hex8-2").strongest
    assert best is not None
    assert best.model.digest == swarm.model_of("second")  # the third was weaker, the fourth is canonical


def test_the_strongest_is_kept_however_many_models_came_after_it() -> None:
    swarm = RatedSwarm()
    for number in range(MILESTONES_KEPT + 3):
        swarm.promote(number % 2, f"model {number}")
    ratings = swarm.ledger.ratings("hex8-2")
    assert len(ratings.milestones) == MILESTONES_KEPT
    assert [entry.number for entry in ratings.kept] == [1, *range(4, MILESTONES_KEPT + 4)]
    first = swarm.model_of("model 0")
    swarm.put(swarm.played(swarm.model_of(f"model {MILESTONES_KEPT + 2}"), "model", other=first), WEAK)
    model = nominee(swarm.ledger, "hex8-2")
    assert model is not None
    assert model.digest == first
    assert len(swarm.ledger.tallies("hex8-2")) <= 5 * MILESTONES_KEPT


def test_without_the_risk_there_are_no_alarms() -> None:
    settings = replace(STEERED, steering=SteeringSettings(rules=1, regression_permille=0))
    swarm = RatedSwarm(settings=settings)
    swarm.promote(0, "first")
    swarm.promote(1, "second")
    swarm.put(swarm.played(swarm.model_of("first"), "heuristic"), STRONG)
    swarm.put(swarm.played(swarm.model_of("second"), "heuristic"), WEAK)
    assert nominee(swarm.ledger, "hex8-2") is None


def test_a_rollback_that_failed_needs_fresh_evidence_and_twice_as_much() -> None:
    swarm = swarm_with(STRONG, WEAK)
    first, second = swarm.model_of("first"), swarm.model_of("second")
    needed = compared_models(swarm.ledger, "hex8-2")[0].needed
    lose(swarm, nominate_again(swarm, 0))
    assert swarm.ledger.ratings("hex8-2").milestones[-1].failures == 1
    assert nominee(swarm.ledger, "hex8-2") is None
    model = swarm.ledger.ratings("hex8-2").compared[1].model
    again = nomination(swarm.ledger, swarm.next_id(2), "hex8-2", model)
    swarm.act(2, again)
    assert swarm.refusal() == "model failed against this incumbent"
    swarm.put(swarm.played(first, "heuristic", number=1), STRONG)
    swarm.put(swarm.played(second, "heuristic", number=1), WEAK)
    assert compared_models(swarm.ledger, "hex8-2")[0].needed == 2 * needed
    lose(swarm, nominate_again(swarm, 1))
    assert {entry.number for entry in swarm.ledger.series()} == {
        0,
        2,
    }  # what was compared before is over
    swarm.put(swarm.played(first, "random", number=2), STRONG)
    swarm.put(swarm.played(second, "random", number=2), WEAK)
    candidate = nominate_again(swarm, 2)
    swarm.ripen(candidate, (0, 3))
    for voter in (0, 1, 3):
        swarm.vote(voter, candidate)
    assert swarm.ledger.configuration("hex8-2").model.digest == first


def test_a_liar_cannot_force_a_rollback() -> None:
    """A member that holds as many slots as it can, and plays badly for the model, causes a match and no more."""
    swarm = swarm_with(STRONG, [4, 3, 0, 0] * (BLOCKS // 4))
    model = nominee(swarm.ledger, "hex8-2")
    assert model is not None  # half of the slots are enough for an alarm
    candidate = nominate_again(swarm, 3)
    lose_or_draw = swarm.ledger.candidate(candidate)
    assert lose_or_draw is not None
    slot = 0
    while swarm.ledger.candidate(candidate) is not None and slot < len(lose_or_draw.slots):
        swarm.play_slot((1, 2)[slot % 2], candidate, slot, (4, 0)[slot % 2])  # the liar again has every other slot
        slot += 1
    assert swarm.ledger.candidate(candidate) is None
    assert swarm.ledger.configuration("hex8-2").model.digest == swarm.model_of("second")
    assert nominee(swarm.ledger, "hex8-2") is None
