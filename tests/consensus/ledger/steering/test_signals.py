"""Each signal by hand: at its ends, in the middle, and where nothing is known."""

from __future__ import annotations

from consensus.ledger.steering.signals import (
    Ages,
    Rise,
    curriculum,
    diversity,
    information,
    parts_of_curriculum,
    raised,
    relation,
    staleness,
    velocity_signal,
)


def test_staleness_compares_with_the_oldest() -> None:
    oldest = Ages(200, 1000)
    assert [staleness(age, oldest) for age in (Ages(0, 0), Ages(200, 1000), Ages(100, 0))] == [0, 1000, 250]
    assert staleness(Ages(0, 0), Ages(0, 0)) == 0


def test_velocity_is_half_where_nothing_changes() -> None:
    assert [velocity_signal(own, 40) for own in (-40, -10, 0, 10, 40, 99)] == [0, 375, 500, 625, 1000, 1000]
    assert velocity_signal(0, 0) == 500


def test_what_a_promotion_is_worth_to_others() -> None:
    assert relation("hex8-2", "hex8-2", False) == 1000
    assert relation("hex8-2", "hexagonal-2", False) == relation("hexagonal-2", "hex8-2", False) == 800
    assert relation("hex8-2", "hex8-3", False) == 600
    assert relation("hex8-2", "square8-2", False) == relation("hex8-2", "hexagonal-3", False) == 0
    assert relation("hex8-2", "square8-2", True) == relation("hex8-2", "square19-4", True) == 400


def signal_of(name: str, *rises: Rise, regression: int = 0) -> int:
    total = sum(part for _, part in parts_of_curriculum(name, rises))
    worths = {(rise.configuration, rise.is_above_heuristic): [0] for rise in rises}
    for rise in rises:
        worths[rise.configuration, rise.is_above_heuristic].append(rise.worth)
    assert raised([name], worths) == {name: total}
    return curriculum(total, regression)


def test_curriculum_rises_with_the_score_and_falls_with_age_and_regression() -> None:
    rise = Rise("hex8-2", 1, beyond=100, age=0, is_above_heuristic=True, window_s=100)
    names = ("hex8-2", "hexagonal-2", "hex8-4", "square8-2")
    assert [signal_of(name, rise) for name in names] == [400, 320, 240, 160]
    half = Rise("hex8-2", 2, beyond=100, age=50, is_above_heuristic=True, window_s=100)
    assert signal_of("hex8-2", half) == 200
    assert signal_of("hex8-2", rise, half) == 600
    assert signal_of("hex8-2", rise, regression=250) == 300
    assert signal_of("hex8-2", *[rise] * 9) == 1000
    assert signal_of("hex8-2", Rise("hex8-2", 1, -50, 0, False, 100)) == 0
    assert signal_of("hex8-2") == 0
    assert parts_of_curriculum("hex8-3", [rise, half]) == (("hex8-2 no. 1", 240), ("hex8-2 no. 2", 120))


def test_diversity_and_information() -> None:
    assert [diversity(openings, 100) for openings in (1, 40, 100)] == [990, 600, 0]
    assert diversity(0, 0) == 500
    assert [information(error) for error in (None, 0, 50_000, 10**6)] == [500, 0, 500, 1000]
