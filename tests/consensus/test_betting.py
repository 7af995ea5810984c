"""The test by bets: its bound holds for every fair game, and it finds what it should."""

from __future__ import annotations

import random
from collections.abc import Callable
from fractions import Fraction
from itertools import product

import pytest

from consensus.betting import highest_fortune

BLOCKS = 64
NEEDED = 160  # of a first alarm: four tests, a risk of 1/20, half of it for the first comparison


def test_a_worked_example() -> None:
    """Of four points a block the earlier model won 4, 2, 4 and the canonical one 0, 2, 2."""
    assert highest_fortune([4, 0, 2], 4) == Fraction(3, 2) * 1 * Fraction(5, 4)
    assert highest_fortune([-4, 4], 4) == 1  # 1/2, then 3/4: never above what there was
    assert highest_fortune([4, -4, -4], 4) == Fraction(3, 2)
    assert highest_fortune([], 4) == 1


@pytest.mark.parametrize("difference", [5, -5])
def test_an_impossible_difference_is_refused(difference: int) -> None:
    with pytest.raises(ValueError, match="between -4 and 4"):
        highest_fortune([difference], 4)


def test_a_fair_block_leaves_the_fortune_as_it_is_on_average() -> None:
    """Whatever the distribution of the points of one block: all pairs of outcomes with equal weight."""
    for outcomes in ((0, 1, 2, 3, 4), (0, 4), (4, 4, 4, 0), (2,)):
        pairs = list(product(outcomes, repeat=2))
        assert sum(Fraction(8 + one - other, 8) for one, other in pairs) == len(pairs)


def _independent(chance: random.Random, share: float) -> int:
    return sum(2 * (chance.random() < share) for _ in range(2))


def _alike(chance: random.Random, share: float) -> int:
    return 4 * (chance.random() < share)


def _alarms(play: Callable[[random.Random, float], int], before: float, now: float, seeds: int) -> int:
    found = 0
    for seed in range(seeds):
        chance = random.Random(f"{before} {now} {seed}")
        differences = [play(chance, before) - play(chance, now) for _ in range(BLOCKS)]
        found += highest_fortune(differences, 4) >= NEEDED
    return found


@pytest.mark.parametrize("play", [_independent, _alike])
@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_false_alarms_are_fewer_than_the_risk(play: Callable[[random.Random, float], int], share: float) -> None:
    """At most 1 in 160 by the bound: 12.5 of 2000, and with a margin of four standard deviations 26."""
    assert _alarms(play, share, share, 2000) <= 26


@pytest.mark.parametrize(("before", "now", "least"), [(0.8, 0.4, 95), (0.7, 0.4, 75), (0.6, 0.4, 30)])
def test_what_has_become_weaker_is_found(before: float, now: float, least: int) -> None:
    assert _alarms(_independent, before, now, 100) >= least


def _direct_alarms(count: int, lead: int, seeds: int) -> int:
    """The alarms about a model that is so many points of Elo stronger than the one it plays, with `count` players."""
    found = 0
    for seed in range(seeds):
        chance = random.Random(f"direct {count} {lead} {seed}")
        differences = []
        for _ in range(BLOCKS):
            odds = 10 ** ((lead + chance.gauss(0, 40)) / 400)  # an opening favours a side
            won = sum(chance.random() < odds / (odds + count - 1) for _ in range(count))
            differences.append(count * (count - count * won))
        stake = Fraction(count - 1, count)
        found += highest_fortune(differences, count**2 * (count - 1), stake) >= NEEDED
    return found


@pytest.mark.parametrize("count", [2, 3, 4])
def test_games_of_equal_models_against_each_other_seldom_give_an_alarm(count: int) -> None:
    """At most 1 in 160: 2.5 of 400, and with a margin of four standard deviations 9."""
    assert _direct_alarms(count, 0, 400) <= 9


@pytest.mark.parametrize("count", [2, 3, 4])
def test_a_model_that_lost_150_points_is_found_in_games_against_the_one_before(count: int) -> None:
    assert _direct_alarms(count, -150, 50) >= 40


@pytest.mark.parametrize("count", [2, 3, 4])
def test_all_alarms_about_a_model_that_is_no_weaker_are_fewer_than_the_risk(count: int) -> None:
    """Four tests at once, of models that are as good as each other: at most 1/40 for the first comparison."""
    found, models = 0, 200
    for seed in range(models):
        chance = random.Random(f"all {count} {seed}")

        def points(share: float, chance: random.Random = chance) -> int:
            return count * sum(chance.random() < share for _ in range(count))

        fixed = [[points(share) - points(share) for _ in range(BLOCKS)] for share in (0.85, 0.97)]
        direct = [[count * (count - points(1 / count)) for _ in range(BLOCKS)] for _ in range(2)]
        stake = Fraction(count - 1, count)
        found += any(highest_fortune(row, count**2) >= NEEDED for row in fixed) or any(
            highest_fortune(row, count**2 * (count - 1), stake) >= NEEDED for row in direct
        )
    assert found <= models // 20
