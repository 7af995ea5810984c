"""Quality of games, and the threshold of new games that it moves."""

from __future__ import annotations

import random
from dataclasses import replace
from fractions import Fraction
from statistics import mean, variance

import pytest

from consensus.ledger.priorities import next_work
from consensus.ledger.records import transactions as t
from consensus.ledger.records.entities import Shard, ShardFacts
from consensus.ledger.steering.quality import (
    adjusted,
    confidence_in,
    parts_of,
    quality_of,
    shard_weight,
    sum_up,
    weighted,
)
from consensus.ledger.steering.training_due import is_certain, threshold, training_due
from consensus.settings import SteeringSettings
from tests.consensus.ledger.swarm import Swarm, digest_of, settings

STEERED = SteeringSettings(rules=1)
GOOD = ShardFacts(
    searched=5000, decisive=100, forced=1000, openings=100, duplicates=0, entropy=1500, value_error=125_000
)


def shard(facts: ShardFacts | None = GOOD, configuration: str = "hex8-2") -> Shard:
    return Shard(
        digest=digest_of("s"), author=digest_of("a"), configuration=configuration, model=digest_of("m"), size=9,
        games=100, plies=10_000, root=digest_of("r"), round=1, facts=facts,
    )  # fmt: skip


def quality(**changes: int) -> int:
    return weighted(parts_of(sum_up("hex8-2", [shard(replace(GOOD, **changes))])))


def test_the_parts_of_good_games() -> None:
    assert dict(parts_of(sum_up("hex8-2", [shard()]))) == {
        "decisive": 1000, "choice": 900, "openings": 1000, "novelty": 1000, "value": 500, "policy": 1000,
    }  # fmt: skip
    assert quality() == 865


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({"decisive": 0}, 665),
        ({"forced": 10_000}, 775),
        ({"openings": 1}, 667),
        ({"duplicates": 99}, 766),
        ({"value_error": 300_000}, 740),
        ({"value_error": 0}, 990),
        ({"entropy": 100}, 730),
        ({"entropy": 5000}, 865),
        ({"searched": 0, "entropy": 0, "value_error": 0}, 790),
    ],
)
def test_each_part_counts_by_its_weight(changes: dict[str, int], found: int) -> None:
    assert quality(**changes) == found


def test_chances_of_more_players_are_compared_with_a_guess_among_them() -> None:
    for name, guess in (("hex8-3", Fraction(2, 9)), ("hex8-4", Fraction(3, 16))):
        facts = replace(GOOD, value_error=int(guess * 10**6) // 2)
        assert dict(parts_of(sum_up(name, [shard(facts, name)])))["value"] == 500


def test_few_or_old_games_are_drawn_towards_the_middle() -> None:
    assert [confidence_in(games) for games in (0, 49, 50, 499, 500)] == [500, 500, 750, 750, 1000]
    assert adjusted(900, 1000, 0, 100) == 900
    assert adjusted(900, 500, 0, 100) == 700
    assert adjusted(900, 1000, 50, 100) == 700
    assert adjusted(100, 1000, 50, 100) == 300
    assert adjusted(900, 1000, 101, 100) == 500


def test_quality_moves_the_threshold_by_up_to_half() -> None:
    assert [threshold(1024, quality, 500) for quality in (0, 500, 1000)] == [1536, 1024, 512]
    assert threshold(1024, 1000, 0) == 1024
    assert threshold(1, 1000, 1000) == 1


@pytest.mark.parametrize("seed", range(5))
def test_certainty_is_two_standard_errors_within_the_interval(seed: int) -> None:
    chance = random.Random(seed)
    for _ in range(200):
        spread = chance.choice([1000, 5000, 20_000])
        errors = [chance.randrange(180_000 - spread, 180_000 + spread) for _ in range(chance.randrange(4, 30))]
        exact = 4 * Fraction(variance(errors)) / len(errors) <= (Fraction(25, 1000) * Fraction(mean(errors))) ** 2
        assert is_certain(errors, 25) == exact
    assert not is_certain([5, 5, 5], 25)
    assert not is_certain([5] * 9, 0)


def test_a_shard_weighs_by_its_own_quality() -> None:
    assert shard_weight(shard()) == 932
    assert shard_weight(shard(replace(GOOD, decisive=0))) == 832
    assert shard_weight(shard(None)) == 1000


def played(games: int, steering: SteeringSettings = STEERED) -> Swarm:
    """A swarm of four in which so many games were played, after a promotion."""
    swarm = Swarm(4, settings(steering=steering))
    swarm.promote(0)
    swarm.wait(100)
    while swarm.ledger.configuration("hex8-2").games < games:
        swarm.play(1)
    return swarm


def is_trained(swarm: Swarm) -> bool:
    work = next_work(swarm.ledger, swarm.id(2), ("train",))
    return work is not None and work.kind == "train"


def test_good_games_are_trained_on_before_the_threshold_and_without_the_rules_not() -> None:
    swarm = played(160, replace(STEERED, early_interval=0))
    found = quality_of(swarm.ledger, "hex8-2")
    assert (found.quality, found.confidence, found.facts.games) == (810, 750, 160)
    due = training_due(swarm.ledger, swarm.ledger.configuration("hex8-2"))
    assert (due.base, due.new_games, due.needed, due.is_due) == (192, 160, 147, True)
    assert is_trained(swarm)
    assert not is_trained(played(160, replace(STEERED, early_interval=0, swing=0)))
    assert not is_trained(played(160, SteeringSettings()))


def test_certainty_starts_a_training_early_but_not_below_the_floor() -> None:
    assert not is_trained(played(96, replace(STEERED, early_floor=900)))
    assert is_trained(played(128))  # four shards with the same error
    assert not is_trained(played(96))  # three
    assert not is_trained(played(128, replace(STEERED, early_interval=0)))


def test_after_a_match_the_next_training_waits_for_the_cooldown() -> None:
    swarm = Swarm(4, settings(steering=replace(STEERED, cooldown_s=1000)))
    swarm.promote(0)
    while swarm.ledger.configuration("hex8-2").games < 192:
        swarm.play(1)
    due = training_due(swarm.ledger, swarm.ledger.configuration("hex8-2"))
    assert 900 < due.rest_s < 1000
    assert not is_trained(swarm)
    swarm.wait(due.rest_s)
    assert is_trained(swarm)


def test_the_threshold_is_never_above_what_is_played() -> None:
    """Else a configuration with bad games would wait for ever: nobody plays beyond the ceiling."""
    small = settings(steering=STEERED)
    swarm = Swarm(4, replace(small, selfplay=replace(small.selfplay, ceiling=192)))
    swarm.promote(0)
    swarm.wait(100)
    claim = swarm.next_id(1)
    swarm.act(1, t.SelfplayClaim(claim, "hex8-2", 192))
    facts = {
        "searched": 100, "decisive": 0, "forced": 9000, "openings": 1, "duplicates": 191, "entropy": 0,
        "value_error": 900_000,
    }  # fmt: skip
    news = t.Games(
        swarm.next_id(1), claim=claim, configuration="hex8-2", shard=digest_of("bad"), size=9, games=192, plies=9000,
        model=swarm.ledger.configuration("hex8-2").model.digest, root=digest_of("r"), facts=facts,
    )  # fmt: skip
    swarm.act(1, news)
    due = training_due(swarm.ledger, swarm.ledger.configuration("hex8-2"))
    assert (due.quality < 200, due.needed, due.is_due) == (True, 192, True)
