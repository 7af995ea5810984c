"""Claims are sized by the own rate and life; the fastest and cheapest train first, and a boast keeps nobody from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from consensus.ledger.priorities import Work, next_work
from consensus.ledger.records import transactions as t
from consensus.ledger.records.decisions import SteeringChange
from consensus.ledger.rules.costs import usual_plies
from consensus.ledger.steering.capability import (
    CLAIM_S,
    claim_seconds,
    first_trainers,
    games_per_hour,
    life_left,
    positions_per_hour,
)
from consensus.settings import SelfplaySettings, SteeringSettings
from tests.consensus.ledger.swarm import SMALL, Swarm

RULES = replace(SMALL, steering=SteeringSettings(rules=1))


def tell(swarm: Swarm, member: int, rates: Mapping[str, int], life: int = 0, cost: int = 0) -> None:
    number = swarm.next_id(member)
    swarm.act(
        member,
        t.Profile(number, roles=("train",), device="cpu", software=bytes(32), rates=rates, cost=cost, life=life),
    )


def wanted(swarm: Swarm, member: int, role: str) -> Work | None:
    return next_work(swarm.ledger, swarm.id(member), (role,))


def amount(swarm: Swarm, member: int) -> int:
    work = wanted(swarm, member, "selfplay")
    assert work is not None
    return work.amount


def test_a_claim_is_sized_to_a_minute_and_a_half_of_the_own_rate() -> None:
    swarm = Swarm(4, RULES)
    assert amount(swarm, 0) == 32
    tell(swarm, 0, {"selfplay-hex8-2": 400})
    assert amount(swarm, 0) == 400 * CLAIM_S // 3600 == 10
    tell(swarm, 0, {"selfplay-hex8-2": 10**9})
    assert amount(swarm, 0) == RULES.selfplay.ceiling
    swarm.play(1, games=300)
    assert amount(swarm, 0) == RULES.selfplay.ceiling - 300
    tell(swarm, 0, {"selfplay-hex8-2": 1})
    assert amount(swarm, 0) == 1
    tell(swarm, 0, {"random-hex8-2": 400})
    assert amount(swarm, 0) == 32  # it was not measured with a model


def test_what_was_not_measured_follows_from_the_cost() -> None:
    """A game of uniform costs 0.2 evaluations for each of its 152 plies, or for as many as games had so far."""
    settings = replace(RULES, selfplay=SelfplaySettings(games=32, random_games=512))
    swarm = Swarm(4, settings)
    tell(swarm, 0, {"evaluations": 304_000})
    assert games_per_hour(swarm.ledger, swarm.id(0), swarm.ledger.configuration("hex8-2")) == 10_000
    tell(swarm, 0, {"evaluations": 304_000, "random-hex8-2": 40})
    assert games_per_hour(swarm.ledger, swarm.id(0), swarm.ledger.configuration("hex8-2")) == 40
    tell(swarm, 0, {"positions": 9, "train-hex8-2": 2})
    assert positions_per_hour(swarm.ledger, swarm.id(0), "hex8-2") == 2 * settings.training.batch
    assert positions_per_hour(swarm.ledger, swarm.id(1), "hex8-2") == 0


def test_what_was_not_measured_follows_from_what_was_measured_elsewhere() -> None:
    swarm = Swarm(4, replace(RULES, configurations=("hex8-2", "hex8-3", "hexagonal-2")))
    tell(swarm, 0, {"random-hex8-2": 9000})
    large = swarm.ledger.configuration("hexagonal-2")
    assert games_per_hour(swarm.ledger, swarm.id(0), large) == 0  # random games say little of others
    tell(swarm, 0, {"selfplay-hex8-2": 9000})
    costs = [usual_plies(name) * swarm.ledger.budget(name).ply_cost for name in ("hex8-2", "hexagonal-2")]
    assert games_per_hour(swarm.ledger, swarm.id(0), large) == 9000 * costs[0] // costs[1]
    tell(swarm, 0, {"selfplay-hex8-2": 9000, "selfplay-hex8-3": 1800})
    assert games_per_hour(swarm.ledger, swarm.id(0), large) == 1800 * costs[0] // costs[1]  # the least is sure
    tell(swarm, 0, {"selfplay-hex8-2": 9000, "selfplay-hexagonal-2": 7})
    assert games_per_hour(swarm.ledger, swarm.id(0), large) == 7


def test_a_machine_that_is_too_slow_for_a_slot_leaves_matches_and_ratings_to_others() -> None:
    """A slot has four games with as many simulations as in self-play: in 900 s, so at 16 games an hour."""
    swarm = Swarm(4, RULES)
    swarm.promote(0, "first")
    candidate = swarm.nominate(1, "second")
    swarm.order()
    swarm.order()
    for rates in ({}, {"selfplay-hex8-2": 16}):
        tell(swarm, 2, rates)
        work = wanted(swarm, 2, "match")
        assert work is not None
        assert (work.kind, work.candidate) == ("match", candidate)
    tell(swarm, 2, {"selfplay-hex8-2": 15})
    assert wanted(swarm, 2, "match") is None
    other = wanted(swarm, 3, "match")
    assert other is not None


def test_a_claim_fits_into_half_of_the_expected_life_that_is_left() -> None:
    swarm = Swarm(4, RULES)
    tell(swarm, 0, {}, life=1000)
    assert claim_seconds(swarm.ledger, swarm.id(0)) == CLAIM_S
    swarm.wait(900)
    assert claim_seconds(swarm.ledger, swarm.id(0)) == 50
    swarm.wait(90)
    assert claim_seconds(swarm.ledger, swarm.id(0)) == 20  # it lives longer than expected
    swarm.wait(90)
    assert [life_left(swarm.ledger, swarm.id(member)) for member in (0, 1)] == [0, None]


def test_without_the_rules_claims_are_as_they_were() -> None:
    swarm = Swarm(4, SMALL)
    tell(swarm, 0, {"selfplay-hex8-2": 400}, life=10)
    assert amount(swarm, 0) == 32


@pytest.fixture
def due() -> Swarm:
    """A swarm in which training has just become due; of six trainers, 0 and 1 are the fastest."""
    swarm = Swarm(7, RULES)
    for member, rate in enumerate((600, 500, 400, 300, 200, 100)):
        tell(swarm, member, {"train-hex8-2": rate})
    while not any(wanted(swarm, member, "train") for member in range(6)):
        swarm.play(6, games=8)
    return swarm


def test_the_best_third_trains_first(due: Swarm) -> None:
    assert [wanted(due, member, "train") is not None for member in range(7)] == [True, True] + [False] * 5


def test_others_train_when_the_fastest_are_busy_or_away(due: Swarm) -> None:
    steering = SteeringSettings(rules=1, families="c8b1.c16b2")
    square = Swarm(7, replace(RULES, configurations=("hex8-2", "square8-2"), steering=steering))
    for member, rate in enumerate((600, 500, 400, 300, 200, 100)):
        tell(square, member, {"positions": rate})
    while not wanted(square, 0, "train"):
        square.play(6, games=8)
    for member in (0, 1):
        square.act(member, t.TrainClaim(square.next_id(member), "square8-2", ("c8b1", "c16b2")[member]))
    assert wanted(square, 2, "train") is not None
    assert wanted(due, 2, "train") is None
    for member in range(2, 7):
        due.order((due.id(member), []))
    due.wait(20)
    due.order(*((due.id(member), []) for member in range(2, 7)), step=20 * 10**9)
    due.order(*((due.id(member), []) for member in range(2, 7)), step=20 * 10**9)
    assert wanted(due, 2, "train") is not None


def test_a_boast_delays_training_by_an_eighth_of_the_games_at_most(due: Swarm) -> None:
    before = due.ledger.configuration("hex8-2").new_games
    while wanted(due, 5, "train") is None:
        due.play(6, games=8)
    assert due.ledger.configuration("hex8-2").new_games - before <= before // 8 + 8


def test_a_boast_delays_nothing_where_no_more_games_come() -> None:
    """The ceiling of self-play is hardly above the games that a training needs."""
    few = replace(RULES, selfplay=SelfplaySettings(games=8, random_games=0, ceiling=200))
    swarm = Swarm(7, replace(few, steering=SteeringSettings(rules=1, swing=0, early_interval=0)))
    for member, rate in enumerate((600, 500, 400, 300, 200, 100)):
        tell(swarm, member, {"train-hex8-2": rate})
    while (work := wanted(swarm, 6, "selfplay")) is not None:
        swarm.play(6, games=work.amount)
    assert swarm.ledger.configuration("hex8-2").new_games == 200 > few.training.games
    assert wanted(swarm, 5, "train") is not None


def test_a_boast_delays_nothing_where_self_play_is_paused(due: Swarm) -> None:
    assert wanted(due, 5, "train") is None
    due.agree(SteeringChange("pause", work="selfplay"), 0, 1, 2, 3, 4)
    assert wanted(due, 5, "train") is not None


def test_one_that_knows_no_rate_waits_for_nobody_where_nobody_knows_one() -> None:
    swarm = Swarm(4, RULES)
    tell(swarm, 0, {"train-hex8-2": 100})
    while not wanted(swarm, 1, "train"):
        swarm.play(3, games=8)
    assert wanted(swarm, 0, "train") is not None


def first(*offers: tuple[int, int]) -> list[int]:
    """Return who trains first, the best first, of members with these rates and costs."""
    swarm = Swarm(len(offers) + 1, RULES)
    for member, (rate, cost) in enumerate(offers):
        tell(swarm, member, {"train-hex8-2": rate}, cost=cost)
    numbers = {swarm.id(member): member for member in range(len(offers))}
    return [numbers[member] for member in first_trainers(swarm.ledger, "hex8-2")]


def test_of_members_that_train_equally_well_the_cheaper_ones_go_first() -> None:
    assert first((600, 900), (560, 100), (540, 300)) == [1]
    assert first((600, 900), (560, 100), (540, 300), (100, 0)) == [1, 2]


def test_a_tenth_is_equal_and_more_is_not() -> None:
    assert first((600, 900), (540, 100)) == [1]
    assert first((600, 900), (539, 100)) == [0]


def test_among_members_of_equal_cost_the_fastest_go_first() -> None:
    assert first((600, 7), (590, 7), (580, 7), (570, 7)) == [0, 1]
    assert first((600, 7), (600, 7), (580, 7)) in ([0, 1], [1, 0])


def test_who_is_equal_to_whom_does_not_go_round_in_a_circle() -> None:
    """Each of three is cheaper than the next faster one, within a tenth of it; the first and the last are not."""
    assert first((1000, 3), (920, 2), (850, 1)) == [1]


def test_one_that_says_it_costs_nothing_delays_others_by_an_eighth_of_the_games_at_most() -> None:
    swarm = Swarm(4, RULES)
    tell(swarm, 0, {"train-hex8-2": 100}, cost=5)
    tell(swarm, 1, {"train-hex8-2": 91})
    while not wanted(swarm, 1, "train"):
        swarm.play(3, games=8)
    before = swarm.ledger.configuration("hex8-2").new_games
    assert wanted(swarm, 0, "train") is None
    while wanted(swarm, 0, "train") is None:
        swarm.play(3, games=8)
    assert swarm.ledger.configuration("hex8-2").new_games - before <= before // 8 + 8
