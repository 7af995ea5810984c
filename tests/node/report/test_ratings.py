"""Ratings for people are those of the arena, from the whole numbers of the ledger."""

import pytest

from node.report.ratings import ratings
from tests.consensus.ledger.rules.test_rollbacks import EQUAL, STRONG, WEAK, swarm_with
from tests.consensus.ledger.steering.rated import BLOCKS, RatedSwarm
from training.ratings import rate


def test_without_games_there_are_none() -> None:
    swarm = RatedSwarm()
    assert ratings(swarm.ledger) == []
    swarm.promote(0, "first")
    assert ratings(swarm.ledger) == []


def test_the_rating_is_the_most_likely_one() -> None:
    swarm = swarm_with(EQUAL, STRONG)
    first, second = swarm.model_of("first").hex(), swarm.model_of("second").hex()
    best, next_best, heuristic = ratings(swarm.ledger)
    assert [entry["model"] for entry in (best, next_best, heuristic)] == [second, first, None]
    assert [entry["number"] for entry in (best, next_best, heuristic)] == [2, 1, None]
    assert (heuristic["rating"], heuristic["error"], heuristic["blocks"]) == (1500, 0, 2 * BLOCKS)
    won = sum(STRONG) // 2, sum(EQUAL) // 2
    games = [
        ([name, "heuristic"], int(number >= wins))
        for name, wins in zip((second, first), won, strict=True)
        for number in range(2 * BLOCKS)
    ]
    expected = rate(games, "heuristic")
    assert best["rating"] == pytest.approx(expected[second].points, abs=0.06)
    assert next_best["error"] == pytest.approx(expected[first].error, abs=0.06)
    assert (best["canonical"], best["weaker"], next_best["canonical"]) == (True, False, False)


def test_a_weaker_model_is_marked() -> None:
    marked = [entry for entry in ratings(swarm_with(STRONG, WEAK).ledger) if entry["weaker"]]
    assert [entry["number"] for entry in marked] == [2]


def test_policy_and_search_are_rated_apart_and_models_meet() -> None:
    swarm = swarm_with(EQUAL, EQUAL)
    first, second = swarm.model_of("first"), swarm.model_of("second")
    swarm.put(swarm.played(second, "heuristic", player="policy"), WEAK)
    swarm.put(swarm.played(second, "model", other=first), STRONG)
    found = {(entry["player"], entry["number"]): entry["rating"] for entry in ratings(swarm.ledger)}
    assert found.keys() == {("search", 2), ("search", 1), ("policy", 2), ("heuristic", None)}
    assert found["search", 2] > found["search", 1] > found["policy", 2]
