"""Velocity, stall and recovery, by worked examples and along made-up curves."""

from __future__ import annotations

from dataclasses import replace
from math import log, log10

import pytest

from consensus.ledger.steering.estimates import Estimate, Scores, combined, difference, estimate, summed
from consensus.ledger.steering.velocity import (
    EVALUATIONS,
    Learning,
    Step,
    is_above_heuristic,
    learning,
    rating_error,
    velocity,
)
from tests.consensus.ledger.steering.rated import BLOCKS, RatedSwarm


def test_an_estimate_by_hand() -> None:
    """Two players, ten blocks of four points: 30 of 40. With the two further blocks 34 of 48."""
    points = (4, 2, 4, 2, 4, 2, 4, 2, 4, 2)
    share = 34 / 48
    blocks = [*points, 4, 0]
    mean = sum(blocks) / 12
    spread = sum((value - mean) ** 2 for value in blocks) / 11
    error = (spread / 12) ** 0.5 / 4 * 400 / log(10) / (share * (1 - share))
    found = estimate(points, 2)
    assert abs(found.value / 1000 - 400 * log10(share / (1 - share))) < 0.001
    assert abs(found.error / 1000 - error) < 0.001


@pytest.mark.parametrize("count", [2, 3, 4])
def test_an_equal_player_has_no_difference_when_it_played_enough(count: int) -> None:
    found = estimate((count,) * 400, count)
    assert abs(found.value) < 4_000
    assert found.error < 15_000


def test_a_clean_sweep_is_finite_and_uncertain() -> None:
    assert estimate((4,) * 16, 2).error > estimate((4, 3) * 8, 2).error
    assert estimate((4,) * 16, 2).value == -estimate((0,) * 16, 2).value


def test_the_better_known_estimate_counts_more() -> None:
    assert combined([]) is None
    assert combined([Estimate(100, 10), Estimate(0, 10)]) == Estimate(50, 7)
    close = combined([Estimate(100_000, 10_000), Estimate(0, 1_000)])
    assert close is not None
    assert abs(close.value - 990) <= 1
    assert difference(Estimate(9, 3), Estimate(4, 4)) == Estimate(5, 5)


def rated() -> tuple[RatedSwarm, bytes, bytes]:
    swarm = RatedSwarm()
    swarm.promote(0, "first")
    swarm.promote(1, "second")
    return swarm, swarm.model_of("first"), swarm.model_of("second")


def test_without_games_nothing_is_known() -> None:
    swarm = RatedSwarm()
    assert (velocity(swarm.ledger, "hex8-2"), rating_error(swarm.ledger, "hex8-2")) == (0, None)
    swarm.promote(0, "first")
    assert rating_error(swarm.ledger, "hex8-2") is None
    assert not is_above_heuristic(swarm.ledger, "hex8-2")
    assert not learning(swarm.ledger, "hex8-2").is_stalled


def test_a_gain_is_the_difference_of_the_scores_and_the_games_against_each_other() -> None:
    swarm, first, second = rated()
    swarm.put(swarm.played(first, "heuristic"), [2, 2] * (BLOCKS // 2))
    swarm.put(swarm.played(second, "heuristic"), [4, 2] * (BLOCKS // 2))
    scores = Scores(swarm.ledger.tallies("hex8-2"))
    by_heuristic = scores.gain((first, second))
    assert by_heuristic is not None
    assert by_heuristic == difference(estimate((4, 2) * (BLOCKS // 2), 2), estimate((2, 2) * (BLOCKS // 2), 2))
    swarm.put(swarm.played(second, "model", other=first), [2, 2] * (BLOCKS // 2))
    both = Scores(swarm.ledger.tallies("hex8-2")).gain((first, second))
    assert both is not None
    assert 0 < both.value < by_heuristic.value
    assert both.error < by_heuristic.error
    (step,) = learning(swarm.ledger, "hex8-2").steps
    assert (step.number, step.gain) == (2, both)
    assert is_above_heuristic(swarm.ledger, "hex8-2")


def test_games_with_other_settings_or_players_are_never_mixed() -> None:
    swarm, first, second = rated()
    series = swarm.played(second, "heuristic")
    swarm.put(series, [4, 4] * (BLOCKS // 2))
    swarm.put(swarm.played(second, "heuristic", player="policy"), [0, 0] * (BLOCKS // 2))
    tallies = swarm.ledger.tallies("hex8-2")
    other = replace(series.pair, settings=replace(series.settings, simulations=99))
    foreign = replace(series.tally, pair=other, points=(0,) * 8)
    mixed = Scores([*tallies, foreign])
    assert mixed.against(second, "heuristic") == estimate((4,) * BLOCKS, 2)
    assert mixed.against(second, "heuristic", player="policy") == estimate((0,) * BLOCKS, 2)
    assert mixed.against(first, "heuristic") is None


def test_the_rating_gets_more_certain_with_games() -> None:
    swarm, first, second = rated()
    errors = []
    for blocks in (4, 8, BLOCKS):
        swarm.put(swarm.played(second, "heuristic"), [4, 1] * (blocks // 2))
        errors.append(rating_error(swarm.ledger, "hex8-2"))
    swarm.put(swarm.played(first, "heuristic"), [3, 1] * (BLOCKS // 2))
    swarm.put(swarm.played(second, "model", other=first), [3, 1] * (BLOCKS // 2))
    errors.append(rating_error(swarm.ledger, "hex8-2"))
    known = [error for error in errors if error is not None]
    assert known == sorted(known, reverse=True)
    assert len(set(known)) == len(errors)


def learned(
    cost: int, gained: Estimate | None, *, promoted: int = 300, before: Estimate | None = None, begun: int = 0
) -> Learning:
    """What was learned by a cost, in a window of 1000; the newest promotion was at `promoted`."""
    steps = (Step(2, promoted, gained),)
    return Learning(
        configuration="hex8-2", steps=steps, begun=begun, cost=cost, window=1000, gained=gained, gained_before=before
    )


def test_velocity_is_the_gain_by_the_cost_of_the_window_or_of_all_networks() -> None:
    assert learned(400, Estimate(100_000, 1)).velocity == 100_000 * EVALUATIONS // 400
    assert learned(5000, Estimate(100_000, 1)).velocity == 100_000 * EVALUATIONS // 1000
    assert learned(1500, Estimate(-80_000, 1)).velocity == -80_000 * EVALUATIONS // 1000
    assert learned(1500, None).velocity == 0


def test_a_stall_is_a_window_in_which_little_was_gained_whatever_the_error() -> None:
    assert not learned(999, Estimate(0, 0)).is_stalled  # not the whole window yet
    assert learned(1400, Estimate(0, 0)).is_stalled
    assert learned(1400, Estimate(19_999, 15_000)).is_stalled
    assert not learned(1400, Estimate(20_000, 15_000)).is_stalled
    assert learned(1400, Estimate(-80_000, 60_000)).is_stalled
    assert not learned(1400, None).is_stalled  # not rated yet
    assert not learned(1400, Estimate(0, 25_000)).is_stalled  # too little is known


def test_a_recovery_is_a_promotion_that_ends_a_stall() -> None:
    much, little, nothing = Estimate(60_000, 30_000), Estimate(15_000, 15_000), Estimate(0, 0)
    assert learned(1510, much, promoted=1500, before=nothing).has_recovered
    assert not learned(1510, little, promoted=1500, before=nothing).has_recovered
    assert not learned(1510, much, promoted=1500, before=much).has_recovered
    assert not learned(910, much, promoted=900, before=nothing).has_recovered
    assert not learned(1510, None, promoted=1500, before=Estimate(0, 0)).has_recovered


def test_a_gain_over_several_promotions_is_that_of_the_ends_and_of_the_steps() -> None:
    swarm, first, second = rated()
    swarm.put(swarm.played(first, "heuristic"), [2, 2] * (BLOCKS // 2))
    swarm.put(swarm.played(second, "model", other=first), [3, 2] * (BLOCKS // 2))
    swarm.promote(2, "third")
    third = swarm.model_of("third")
    swarm.put(swarm.played(third, "heuristic"), [3, 3] * (BLOCKS // 2))
    swarm.put(swarm.played(third, "model", other=second), [2, 3] * (BLOCKS // 2))
    scores = Scores(swarm.ledger.tallies("hex8-2"))
    ends = difference(estimate((3,) * BLOCKS, 2), estimate((2,) * BLOCKS, 2))
    steps = summed((estimate((3, 2) * (BLOCKS // 2), 2), estimate((2, 3) * (BLOCKS // 2), 2)))
    assert scores.gain((first, second, third)) == combined([ends, steps])
    assert scores.gain((first,)) == Estimate(0, 0)
    found = learning(swarm.ledger, "hex8-2")
    assert found.gained == scores.gain((first, second, third))
    assert [step.gain for step in found.steps] == [scores.gain((first, second)), scores.gain((second, third))]
    assert found.gained_before == scores.gain((first, second))


def test_a_gain_by_games_is_that_of_the_way_that_is_known_best() -> None:
    """The second model is weaker than the first, so the first stays the strongest and plays all that come after it."""
    swarm, first, second = rated()
    swarm.put(swarm.played(second, "model", other=first), [1, 2] * (BLOCKS // 2))
    swarm.promote(2, "third")
    third = swarm.model_of("third")
    swarm.put(swarm.played(third, "model", other=first), [1, 1] * (BLOCKS // 2))
    scores = Scores(swarm.ledger.tallies("hex8-2"))
    direct = estimate((1, 1) * (BLOCKS // 2), 2)
    assert scores.gain((first, second, third)) == direct  # nobody knows what the last step was
    both = difference(direct, estimate((1, 2) * (BLOCKS // 2), 2))
    assert scores.gain((second, third)) == both  # both played the first
    swarm.put(swarm.played(third, "model", other=second), [1, 2] * (BLOCKS // 2))
    scores = Scores(swarm.ledger.tallies("hex8-2"))
    assert scores.gain((first, second, third)) == direct  # two steps are known less well than one
    assert scores.gain((second, third)) == estimate((1, 2) * (BLOCKS // 2), 2)


def test_a_newest_model_of_which_little_is_known_neither_makes_nor_ends_a_stall() -> None:
    swarm, first, second = rated()
    swarm.put(swarm.played(second, "model", other=first), [2, 2] * (BLOCKS // 2))
    swarm.promote(2, "third")
    known = Scores(swarm.ledger.tallies("hex8-2")).gain((first, second))
    assert learning(swarm.ledger, "hex8-2").gained == known
    third = swarm.played(swarm.model_of("third"), "model", other=second)
    swarm.put(third, [2, 2])
    assert learning(swarm.ledger, "hex8-2").gained == known  # two blocks say nearly nothing
    swarm.put(third, [4, 4] * (BLOCKS // 2))
    gained = learning(swarm.ledger, "hex8-2").gained
    assert gained is not None
    assert gained.value > 200_000  # however uncertain, that is no stall
