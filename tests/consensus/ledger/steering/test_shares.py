"""Shares, deliveries and deficits: by hand, a second way, and as what members choose by."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

import pytest

from consensus.ledger.priorities import next_work
from consensus.ledger.records import transactions as t
from consensus.ledger.records.deliveries import Deliveries
from consensus.ledger.records.entities import Model
from consensus.ledger.rules.costs import LARGEST, cost_of_evaluation, cost_of_games, cost_of_ply
from consensus.ledger.steering.amounts import expected_games
from consensus.ledger.steering.custody import due_custody
from consensus.ledger.steering.shares import ShareBounds, bounds_for, deficits, shares_of, starvation, table
from consensus.settings import SettingsError, SteeringSettings
from tests.consensus.ledger.steering.plain_table import plain_shares, plain_table
from tests.consensus.ledger.swarm import Swarm, digest_of, settings
from tests.consensus.ledger.test_priorities import Crowd
from tests.consensus.ledger.worker import QUICK

STEERED = SteeringSettings(rules=1)
PLAYED = ("hex8-2", "hex8-4", "hexagonal-2", "square8-2")


def test_shares_are_proportional_within_floor_and_quota() -> None:
    assert shares_of({"a": 1, "b": 1, "c": 2}, ShareBounds(20, 600)) == {"a": 250, "b": 250, "c": 500}
    assert shares_of({"a": 1, "b": 1, "c": 2}, ShareBounds(20, 400)) == {"a": 300, "b": 300, "c": 400}
    assert shares_of({"a": 1, "b": 100, "c": 100}, ShareBounds(20, 600)) == {"a": 20, "b": 490, "c": 490}
    assert shares_of({"a": 1, "b": 1, "c": 1}, ShareBounds(20, 400)) == {"a": 334, "b": 333, "c": 333}


def test_bounds_give_way_where_they_cannot_all_hold() -> None:
    assert bounds_for(12, STEERED) == ShareBounds(20, 300)
    assert bounds_for(2, STEERED) == ShareBounds(20, 500)
    assert bounds_for(1, STEERED) == ShareBounds(20, 1000)
    assert bounds_for(12, replace(STEERED, floor=200)) == ShareBounds(83, 300)


@pytest.mark.parametrize("seed", range(40))
def test_shares_are_the_same_a_second_way(seed: int) -> None:
    chance = random.Random(seed)
    for _ in range(10):
        count = chance.randrange(1, 13)
        bounds = bounds_for(count, replace(STEERED, floor=chance.randrange(200), quota=chance.randrange(1, 1001)))
        weights = {f"c{number}": chance.randrange(1, chance.choice([5, 10**6])) for number in range(count)}
        shares = shares_of(weights, bounds)
        assert sum(shares.values()) == 1000
        assert all(bounds.floor <= share <= bounds.quota for share in shares.values())
        assert shares == plain_shares(weights, bounds.floor, bounds.quota)


def hold_some(swarm: Swarm) -> None:
    """Every member holds what it is asked to and whose digest is small enough: the rest goes on waiting."""
    for number in range(len(swarm.keys)):
        due = [entry.shard.digest for entry in due_custody(swarm.ledger, swarm.id(number))]
        small = tuple(digest for digest in due if digest[0] < 170)[: t.HELD_LIMIT]
        if small:
            swarm.act(number, t.Held(swarm.next_id(number), small))
            assert swarm.refusal() is None


@pytest.mark.parametrize("seed", range(3))
def test_the_whole_table_is_the_same_a_second_way(seed: int) -> None:
    steering = replace(STEERED, window_s=(40, 300, 4000)[seed % 3], custodians=(0, 2, 1)[seed % 3])
    swarm = Swarm(4, replace(QUICK, configurations=PLAYED, steering=steering))
    crowd = Crowd(swarm, seed)
    shares, standings = set(), set[str]()
    for _ in range(12):
        crowd.run(30, promotions=99)
        hold_some(swarm)
        found = table(swarm.ledger)
        assert {e.configuration: (e.weight, e.share, e.delivered, e.claimed) for e in found} == plain_table(
            swarm.ledger
        )
        assert deficits(swarm.ledger) == {entry.configuration: entry.deficit for entry in found}
        for entry in found:
            assert entry.weight == entry.starvation * max(1, sum(s.value * s.weight for s in entry.signals))
            assert all(0 <= signal.value <= 1000 for signal in entry.signals)
            assert entry.total == sum(other.delivered + other.claimed for other in found)
        kept = [shard for name in PLAYED for shard in swarm.ledger.shards(name)]
        standings |= {shard.standing for shard in kept}
        assert all(len(shard.holders) >= steering.custodians for shard in kept if shard.standing == "counted")
        shares.add(tuple(entry.share for entry in found))
    assert len(shares) > 3
    assert ("unsafe" in standings) == (steering.custodians > 0)
    assert swarm.replayed().digest() == swarm.ledger.digest()


def test_the_largest_deficit_is_played_next_whatever_the_counts_of_games() -> None:
    own = replace(STEERED, window_s=10**6)
    swarm = Swarm(4, settings(configurations=("hex8-2", "hexagonal-2"), steering=own))
    swarm.play(0, games=64, configuration="hex8-2")
    swarm.play(1, games=32, configuration="hexagonal-2")  # fewer games, but they cost more
    here, there = table(swarm.ledger)
    assert (here.delivered, there.delivered) == (64 * 90 * 200, 32 * 90 * 1537)
    assert here.deficit > 0 > there.deficit
    work = next_work(swarm.ledger, swarm.id(0), ("selfplay",))
    assert work is not None
    assert work.configuration == "hex8-2"
    unsteered = Swarm(4, settings(configurations=("hex8-2", "hexagonal-2")))
    unsteered.play(0, games=64, configuration="hex8-2")
    unsteered.play(1, games=32, configuration="hexagonal-2")
    work = next_work(unsteered.ledger, unsteered.id(0), ("selfplay",))
    assert work is not None
    assert work.configuration == "hexagonal-2"


def test_claims_count_until_they_are_delivered_and_a_huge_one_counts_as_a_usual_one() -> None:
    swarm = Swarm(4, settings(configurations=("hex8-2", "square8-2"), steering=STEERED))
    swarm.act(0, t.SelfplayClaim(swarm.next_id(0), "hex8-2", 60_000))
    here, there = table(swarm.ledger)
    assert (here.claimed, there.claimed) == (32 * 152 * 200, 0)
    assert here.deficit < 0 < there.deficit


def test_many_claims_of_a_member_count_as_far_as_it_delivers() -> None:
    """Of the many claims of a liar one counts; of a machine with many worker slots all count while shards come."""
    swarm = Swarm(4, settings(configurations=("hex8-2", "square8-2"), steering=STEERED))
    for _ in range(4):
        for member in (0, 1):
            swarm.act(member, t.SelfplayClaim(swarm.next_id(member), "hex8-2", 60_000))
    assert expected_games(swarm.ledger) == {"hex8-2": 32 + 32, "square8-2": 0}
    for _ in range(2):
        swarm.play(0, games=32, configuration="hex8-2")
    assert expected_games(swarm.ledger) == {"hex8-2": 3 * 32 + 32, "square8-2": 0}
    swarm.wait(301)
    for member in (0, 1):
        for _ in range(4):
            swarm.act(member, t.SelfplayClaim(swarm.next_id(member), "hex8-2", 60_000))
    assert expected_games(swarm.ledger) == {"hex8-2": 32 + 32, "square8-2": 0}


def test_what_was_never_served_is_starved_by_cost_not_by_games() -> None:
    assert [starvation(cost, 1000, STEERED) for cost in (200, 199, 99, 49, 0)] == [1, 20, 50, 200, 200]
    assert starvation(0, 0, STEERED) == 1


def test_no_configuration_falls_below_its_floor() -> None:
    """Forty times as much is delivered as a claim asks for: then each has its share but for a claim or two."""
    steering = replace(STEERED, window_s=10**6, staleness=0, quality=1000)
    swarm = Swarm(1, replace(QUICK, configurations=PLAYED, steering=steering))
    for _ in range(200):
        work = next_work(swarm.ledger, swarm.id(0), ("selfplay",))
        if work is None:
            break
        swarm.play(0, work.amount, work.configuration)
    found = table(swarm.ledger)
    assert sum(entry.delivered for entry in found) > 0
    for entry in found:
        full = swarm.ledger.configuration(entry.configuration).new_games >= 32
        assert full or 1000 * entry.delivered >= entry.floor * entry.total


def test_an_evaluation_costs_what_was_measured() -> None:
    """docs/performance.md, evaluations/s in search on one core: 37,800, 9,900, 7,800 and 1,300."""
    assert cost_of_evaluation("c16b2", "hex8-2") == 1000
    costs = [cost_of_evaluation("c32b4", name) for name in ("hex8-4", "square8-2", "square19-2", "hexagonal-3")]
    assert costs == [3800, 5125, 28913, 29216]
    measured = [1000 * 37_800 / rate for rate in (9_900, 7_800, 1_300, 1_300)]
    assert all(abs(cost - rate) < 0.06 * rate for cost, rate in zip(costs, measured, strict=True))
    assert cost_of_evaluation("an-own-one", "hex8-2") == 1000


def test_costs_stay_in_bounds_whatever_is_announced() -> None:
    model = Model(digest_of("m"), {}, "c256b20", None)
    ply = cost_of_ply(model, "hexagonal-4", 2**53 - 1)
    assert ply == LARGEST
    assert cost_of_games("hex8-2", 1 << 20, 1 << 32, ply) == LARGEST
    assert cost_of_games("hex8-2", 2, 1 << 32, 1) == 2 * 32 * 61
    full = Deliveries(configuration="hex8-2")
    for clock in range(2000):
        full = full.add(clock, 10**9, LARGEST, 1 << 20)
    assert full.cost == 2**62 == full.buckets[-1].cost
    assert len(full.buckets) == 1


def test_deliveries_leave_the_window_and_can_be_taken_back() -> None:
    made = Deliveries(configuration="hex8-2")
    for second in range(100):
        made = made.add(second, 32, cost=10, games=1)
    assert made.within(99, 32) == (320, 32)
    assert made.within(110, 32) == (200, 20)
    assert made.within(200, 32) == (0, 0)
    assert len(made.buckets) <= 17
    assert made.remove(98, cost=10, games=1).within(99, 32) == (310, 31)
    assert made.remove(3, cost=10, games=1).within(99, 32) == (320, 32)
    assert (made.cost, made.remove(3, 10, 1).cost, made.newest) == (1000, 990, 99)


def test_without_the_switch_nothing_is_counted() -> None:
    swarm = Swarm(4)
    swarm.play(0)
    assert swarm.ledger._state.deliveries == {}
    (shard,) = swarm.ledger.shards("hex8-2")
    assert (shard.cost, shard.clock) == (0, 0)
    swarm.act(0, t.SelfplayClaim(swarm.next_id(0), "hex8-2", 10))
    assert [(claim.simulations, claim.ply_cost) for claim in swarm.ledger.claims()] == [(0, 0)]


@pytest.mark.parametrize(
    ("name", "value", "complaint"),
    [
        ("floor", 1001, "settings.steering.floor: must be 1000 or less, not 1001"),
        ("quota", 0, "settings.steering.quota: must be a whole number of 1 or more, not 0"),
        ("window_s", 10**10, "settings.steering.window_s: must be 1000000000 or less, not 10000000000"),
    ],
)
def test_settings_that_make_no_sense_are_refused(name: str, value: int, complaint: str) -> None:
    changed: dict[str, Any] = {name: value}
    with pytest.raises(SettingsError) as caught:
        SteeringSettings(**changed)
    assert str(caught.value) == complaint


def test_what_is_made_of_records_is_made_again_only_when_they_are_others() -> None:
    ledger, made = Swarm(4).ledger, []

    def make(_ledger: object, name: str) -> int:
        made.append(name)
        return len(made)

    first, second = object(), object()
    bases: list[list[object]] = [[], [], [first], [first], [first, second], [second, first]]
    assert [ledger.recall(make, "hex8-2", basis) for basis in bases] == [1, 1, 2, 2, 3, 4]
