"""The worked examples of docs/steering.md are what the program computes."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

from consensus.betting import highest_fortune
from consensus.ledger.priorities import joint_partners, training_outcomes
from consensus.ledger.records.entities import Model, ShardFacts, SlotResult
from consensus.ledger.records.ratings import Milestone, Ratings
from consensus.ledger.records.transactions import UNIFORM
from consensus.ledger.rules.exploration import anomaly
from consensus.ledger.rules.outcomes import observe_result
from consensus.ledger.rules.rollbacks import comparisons
from consensus.ledger.state.state import UNIFORM_MODEL
from consensus.ledger.steering.estimates import Estimate, combined, difference, estimate
from consensus.ledger.steering.quality import adjusted, confidence_in, parts_of, sum_up, weighted
from consensus.ledger.steering.shares import ShareBounds, shares_of
from consensus.ledger.steering.signals import Rise, curriculum, parts_of_curriculum, raised
from consensus.ledger.steering.training_due import threshold
from consensus.ledger.steering.velocity import Learning, Step
from consensus.settings import MatchSettings, SteeringSettings
from tests.consensus.ledger.rules.test_siblings import Family
from tests.consensus.ledger.steering.rated import STEERED
from tests.consensus.ledger.steering.test_quality import shard
from tests.consensus.ledger.swarm import Swarm

PAGE = " ".join((Path(__file__).parents[4] / "docs" / "steering.md").read_text().split())
MILLION = 10**6


def test_shares_and_deficits() -> None:
    assert "weights 300,000, 300,000 and 100,000, quota 400" in PAGE
    weights = {"first": 300_000, "second": 300_000, "third": 100_000}
    shares = shares_of(weights, ShareBounds(20, 400))
    assert "gets what is left: 400, 400, 200" in PAGE
    assert list(shares.values()) == [400, 400, 200]
    assert "Delivered were 500, 300 and 100 million, claimed 100 million in the second" in PAGE
    used = {"first": 500 * MILLION, "second": 400 * MILLION, "third": 100 * MILLION}
    total = sum(used.values())
    assert "the deficits are -100, 0 and 100 million" in PAGE
    assert [shares[name] * total // 1000 - used[name] for name in used] == [-100 * MILLION, 0, 100 * MILLION]


def test_quality_and_threshold() -> None:
    assert "160 games of `hex8-2`, 90 plies each" in PAGE
    facts = ShardFacts(
        searched=7200, decisive=160, forced=1440, openings=160, duplicates=0, entropy=1500, value_error=180_000
    )
    played = replace(shard(facts), games=160, plies=160 * 90)
    parts = parts_of(sum_up("hex8-2", [played]))
    assert "The parts are 1000, 900, 1000, 1000, 280 and 1000" in PAGE
    assert [value for _, value in parts] == [1000, 900, 1000, 1000, 280, 1000]
    assert "quality 200 + 90 + 200 + 100 + 70 + 150 = 810" in PAGE
    assert weighted(parts) == 810
    assert "Three quarters of it count: 732" in PAGE
    known = adjusted(810, confidence_in(160), 0, 10**9)
    assert known == 732
    assert "Where 192 games are the threshold, 147 are enough" in PAGE
    assert threshold(192, known, 500) == 147


def test_exploration() -> None:
    assert "Four candidates had losses of 1000 each. The band is 980 to 1020" in PAGE
    losses = [1000] * 4
    assert [anomaly(losses, loss) for loss in (979, 980, 1020, 1021)] == [12, 0, 0, 12]
    assert "The next one has 1030, half a band beyond it: the level is 125, and 12 opening plies become 13" in PAGE
    assert (anomaly(losses, 1030), 12 * 1125 // 1000) == (125, 13)
    assert "With 1040 or more the level would be 250, and they would become 15" in PAGE
    assert (anomaly(losses, 1040), anomaly(losses, 9000), 12 * 1250 // 1000) == (250, 250, 15)


def test_curriculum() -> None:
    assert "promoted with 0.6 of the points. The signal of `hex8-2` rises by 400" in PAGE
    assert "`hexagonal-2` by 320, that of `hex8-4` by 240, and that of `square8-2` by 160" in PAGE
    names = ("hex8-2", "hexagonal-2", "hex8-4", "square8-2")
    for age, part in ((0, 1), (50, 2)):
        rise = Rise("hex8-2", 1, beyond=100, age=age, is_above_heuristic=True, window_s=100)
        found = [curriculum(sum(part for _, part in parts_of_curriculum(name, [rise])), 0) for name in names]
        assert [value * part for value in found] == [400, 320, 240, 160]
        assert list(raised(names, {("hex8-2", True): [rise.worth]}).values()) == found

    assert (
        "`square8-3` was promoted nine times, `hex8-2` five times, `hex8-4` four times, and `hexagonal-3` once" in PAGE
    )
    assert "`hex8-2` won 128 of 256 points in 64 blocks, so its odds are 1; `hex8-4` won 512 of 1024 points" in PAGE
    swarm = Family("hex8-2", "hex8-3", "hex8-4", "hexagonal-3", "square8-3")
    swarm.give("square8-3", promotions=9)
    swarm.give("hex8-2", promotions=5, points=(2,) * 64)
    swarm.give("hex8-4", promotions=4, points=(8,) * 64)
    swarm.give("hexagonal-3", promotions=1)
    assert "520 of 1056, the odds are 3 x 520 / 536 = 2.91, and `hex8-3` begins with its model" in PAGE
    best = swarm.ledger.best_sibling("hex8-3", "c16b2")
    assert best is not None
    assert (best.configuration.name, best.odds) == ("hex8-4", Fraction(3 * 520, 536))
    assert round(float(best.odds), 2) == 2.91


def test_games_of_matches() -> None:
    assert "A window has 1,024 games of models and 2,048 random ones. A quarter of 1,024 is 256" in PAGE
    assert "the newest eight join with `outcome_share = 250`, though ten are there" in PAGE
    steering = SteeringSettings(rules=1, outcome_share=250)
    swarm = Swarm(4, replace(STEERED, match=MatchSettings(slot_blocks=16, block_limit=64), steering=steering))
    candidate = swarm.nominate(0)
    open_ = swarm.ledger.candidate(candidate)
    assert open_ is not None
    result = SlotResult(
        author=swarm.id(1), scores=(2,) * 16, root=bytes(32), blob=bytes(32), size=1, games=32, place=open_.place
    )
    slots = tuple(replace(slot, result=result) for slot in open_.slots)
    for number in range(10):
        observe_result(swarm.ledger._state, replace(open_, slots=slots), number % len(slots))
    random_ones = [replace(shard(None), games=1024, model=UNIFORM)] * 2
    shards = [*random_ones, *[replace(shard(None), games=256)] * 4]
    assert len(swarm.ledger.outcomes("hex8-2")) == 10
    assert len(training_outcomes(swarm.ledger, "hex8-2", shards)) == 8


def test_joint_trainings() -> None:
    assert "plays `hex8-2`, `hex8-3`, `hex8-4` and `square8-2`, all with canonical models of c16b2" in PAGE
    assert "Partners of `hex8-2` are `hex8-3` and `hex8-4`. With `joint_share = 250`" in PAGE
    names = ("hex8-2", "hex8-3", "hex8-4", "square8-2")
    swarm = Family(*names, joint_share=250)
    for name in names:
        assert joint_partners(swarm.ledger, "hex8-2", "c16b2", bytes(32)) == ()
        swarm.give(name, architecture="c32b4" if name == "hex8-2" else "c16b2")
        if name == "hex8-2":
            assert joint_partners(swarm.ledger, "hex8-3", "c16b2", bytes(32)) == ()  # it has no network
            swarm.ledger._state.configurations["hex8-2"] = replace(
                swarm.ledger.configuration("hex8-2"), model=UNIFORM_MODEL
            )
    swarm.give("hex8-2")
    assert joint_partners(swarm.ledger, "hex8-2", "c16b2", bytes(32)) == ("hex8-3", "hex8-4")
    assert joint_partners(swarm.ledger, "hex8-2", "c32b4", bytes(32)) == ()
    assert joint_partners(swarm.ledger, "hex8-2", "c16b2", UNIFORM) == ()
    assert joint_partners(swarm.ledger, "square8-2", "c16b2", bytes(32)) == ()


def test_estimates_and_gains() -> None:
    assert "64 blocks against the heuristic: 86 Elo, with an error of 14" in PAGE
    now, before = estimate((3, 2) * 32, 2), estimate((2, 2) * 32, 2)
    assert (round(now.value, -3), round(now.error, -3)) == (86_000, 14_000)
    assert "won 2 of 4 in each block: 0, with an error of 8. The difference is 86 with an error of 16" in PAGE
    assert (before.value, round(before.error, -3)) == (0, 8_000)
    gained = difference(now, before)
    assert (round(gained.value, -3), round(gained.error, -3)) == (86_000, 16_000)
    assert "too (86, error 14), the gain is 86 with an error of 10" in PAGE
    both = combined([gained, now])
    assert both is not None
    assert (round(both.value, -3), round(both.error, -3)) == (86_000, 10_000)


def test_a_stall_and_its_end() -> None:
    assert "a promotion at 300 that gained 100 Elo (error 30): at 1200 the gain is in the window; at 1400" in PAGE

    def at(cost: int, promoted: int, gained: Estimate, before: Estimate | None = None) -> Learning:
        steps = (Step(2, promoted, gained),)
        return Learning(
            configuration="hex8-2", steps=steps, begun=0, cost=cost, window=1000, gained=gained, gained_before=before
        )

    nothing = Estimate(0, 0)
    assert not at(1200, 300, Estimate(100_000, 30_000)).is_stalled
    assert at(1400, 300, nothing).is_stalled
    assert "A promotion at 1450 that gained 15 Elo (error 15) does not end that, as 45 is less than 50" in PAGE
    assert at(1460, 1450, Estimate(15_000, 15_000), nothing).is_stalled
    assert "If the next one at 1500 makes it 60 (error 35), it has recovered" in PAGE
    assert at(1510, 1500, Estimate(60_000, 35_000), Estimate(15_000, 15_000)).has_recovered


def test_the_fortune_of_a_regression() -> None:
    assert "The fortune becomes 3/2, 3/2 and 15/8" in PAGE
    points = list(zip((4, 2, 4), (0, 2, 2), strict=True))
    fortunes = [highest_fortune([before - now for before, now in points[: count + 1]], 4) for count in range(3)]
    assert fortunes == [Fraction(3, 2), Fraction(3, 2), Fraction(15, 8)]
    assert "a first alarm needs 4 x 2/0.05 = 160" in PAGE
    models = [Model(bytes([number]) * 32, {}, "c16b2", None) for number in range(2)]
    compared = tuple(
        Milestone(
            configuration="hex8-2", number=1 + place, model=model, author=bytes(32), previous=bytes(32), cost=0, clock=0
        )
        for place, model in enumerate(models)
    )
    assert {entry.needed for entry in comparisons(Ratings("hex8-2", compared), (), 50)} == {160}
    again = compared[0], replace(compared[1], failures=1)
    assert "(a fortune of 320, then 640, ...)" in PAGE
    assert {entry.needed for entry in comparisons(Ratings("hex8-2", again), (), 50)} == {320}
    assert "the alarm comes after the 16th" in PAGE
    assert [highest_fortune([3] * blocks, 4) >= 160 for blocks in (15, 16)] == [False, True]
