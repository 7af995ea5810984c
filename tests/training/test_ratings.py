"""Ratings: known strengths are found again within the errors, and nothing depends on the order of the games."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest

from training.ratings import POINTS, REFERENCE_RATING, rate

Games = Sequence[tuple[list[str], int | None]]
TRUE = {"a": 1500.0, "b": 1650.0, "c": 1900.0, "d": 1350.0}


def simulate(players: int, count: int, seed: int) -> Games:
    """Return games between players of known ratings in random seats."""
    random = np.random.default_rng(seed)
    games = []
    for _ in range(count):
        seats = random.choice(list(TRUE), players).tolist()
        chances = np.exp([TRUE[name] / POINTS for name in seats])
        games.append((seats, int(random.choice(players, p=chances / chances.sum()))))
    return games


@pytest.mark.parametrize("players", [2, 3, 4])
def test_known_strengths_are_found_within_the_errors(players: int) -> None:
    deviations = []
    for seed in range(15):
        ratings = rate(simulate(players, 300, seed), "a")
        assert ratings["a"].points == REFERENCE_RATING
        assert ratings["a"].error == 0
        deviations += [(ratings[name].points - TRUE[name]) / ratings[name].error for name in "bcd"]
    assert abs(np.mean(deviations)) < 0.5
    assert 0.75 < np.std(deviations) < 1.25
    assert list(rate(simulate(players, 2000, 1), "a")) == ["c", "b", "a", "d"]


def test_more_games_make_smaller_errors() -> None:
    few, many = (rate(simulate(2, count, 3), "a")["c"].error for count in (400, 1600))
    assert many == pytest.approx(few / 2, rel=0.2)


def test_odds_of_ten_to_one_are_400_points() -> None:
    ratings = rate([(["a", "b"], 0)] * 1000 + [(["b", "a"], 0)] * 10_000, "a")
    assert ratings["b"].points == pytest.approx(1900, abs=2)
    information = 11_000 * (10 / 11) * (1 / 11)
    assert ratings["b"].error == pytest.approx(POINTS / math.sqrt(information), rel=0.01)


def test_the_order_of_games_and_of_seats_is_irrelevant() -> None:
    games = [*simulate(3, 150, 5), (["a", "b", "c"], None)]
    turned: Games = [
        ([*seats[1:], seats[0]], None if winner is None else (winner - 1) % len(seats)) for seats, winner in games
    ]
    assert rate(games, "b") == rate(reversed(games), "b")
    for name, rating in rate(turned, "b").items():
        assert rating.points == pytest.approx(rate(games, "b")[name].points)


def test_whoever_wins_everything_stays_finite() -> None:
    games: Games = [(["a", "b"], 0)] * 500 + [(["b", "c"], 0)] * 500 + [(["c", "d"], 0)] * 500
    ratings = rate(games, "b")
    assert list(ratings) == ["a", "b", "c", "d"]
    assert all(math.isfinite(rating.points) and math.isfinite(rating.error) for rating in ratings.values())
    assert 100 < ratings["a"].error < 800
    assert ratings["a"].points > 2000
    one = rate([(["a", "b"], 0)], "b")["a"]
    assert 1500 < one.points < 2300
    assert one.error < 800


def test_a_game_that_nobody_won_draws_players_together() -> None:
    won = rate([(["a", "b"], 0)] * 10, "b")["a"].points
    drawn = rate([*[(["a", "b"], 0)] * 10, *[(["a", "b"], None)] * 10], "b")["a"].points
    assert 1500 < drawn < won
    assert rate([(["a", "b"], None)], "b")["a"].points == pytest.approx(1500)


def test_a_game_against_oneself_says_nothing() -> None:
    games: Games = [(["a", "b"], 0)] * 3 + [(["b", "a"], 0)] * 2
    assert rate([*games, *[(["a", "a"], 0)] * 50], "b")["a"].points == pytest.approx(rate(games, "b")["a"].points)


def test_without_games_of_the_reference_there_are_no_ratings() -> None:
    with pytest.raises(ValueError, match="no game of heuristic, to which all ratings refer"):
        rate([(["a", "b"], 0)], "heuristic")
    with pytest.raises(ValueError, match="no game of a"):
        rate([], "a")
    assert list(rate([(["a", "a"], 1)], "a")) == ["a"]
