"""What a model thinks: of every legal move, the same for the same seed, and by any strength."""

import numpy as np
import pytest

from engine.config import config
from engine.players import HeuristicPlayer
from engine.players.heuristic_evaluation import evaluate_by_heuristic
from engine.search import EvalBatch, chance_of
from node.play.game import PlayedGame
from node.play.minds import load_mind
from node.play.strengths import STRENGTHS
from node.play.thinking import think
from tests.node.play.games import random_game


@pytest.mark.parametrize("name", ["square8-2", "hex8-4"])
@pytest.mark.parametrize("strength", ["policy", "16"])
def test_a_thought_covers_the_legal_moves(name: str, strength: str, kernels: None) -> None:
    game = PlayedGame(config(name), random_game(name, seed=1, plies=20).moves)
    simulations = STRENGTHS[strength]
    thought = think(game.games, load_mind(None), simulations=simulations, seed="a")
    assert [each.move for each in thought.opinions] == [choice.move for choice in game.choices]
    assert thought.move in [choice.move for choice in game.choices]
    assert sum(each.policy for each in thought.opinions) == pytest.approx(1, abs=1e-4)
    assert sum(each.visits for each in thought.opinions) == simulations
    assert len(thought.values) == game.config.players
    assert all(-1 <= value <= 1 for value in thought.values)
    assert thought == think(game.games, load_mind(None), simulations=simulations, seed="a")


def test_the_policy_of_the_heuristic_is_the_heuristic_player(kernels: None) -> None:
    for seed in range(6):
        game = PlayedGame(config("hex8-2"), random_game("hex8-2", seed=seed, plies=25).moves)
        thought = think(game.games, load_mind(None), simulations=0, seed="a")
        chosen = int(HeuristicPlayer().choose(game.games, np.zeros(1, np.uint64))[0])
        shares = {each.move: each.policy for each in thought.opinions}
        assert shares[chosen] == pytest.approx(shares[thought.move], rel=1e-3)


def test_the_heuristic_evaluates_many_positions_relative_to_their_movers(kernels: None) -> None:
    games = PlayedGame(config("hex8-3"), random_game("hex8-3", seed=2, plies=30).moves).games.take([0, 0])
    legal = games.legal()
    found = evaluate_by_heuristic(EvalBatch(games, legal.offsets, legal.moves))
    assert found.logits.shape == legal.moves.shape
    assert found.values.shape == (2, 3)
    assert np.array_equal(found.values[0], found.values[1])
    assert found.logits.max() == 0
    assert found.values.min() > -0.5  # a sure loss of three is -1/2


def test_a_forced_move_is_thought_of_without_a_search(kernels: None) -> None:
    game = PlayedGame(config("hex8-2"))
    game.apply(game.find("PR 0,0 2"))
    game.apply(game.find("MV 0,0 2,0"))
    assert len(game.choices) == 1
    thought = think(game.games, load_mind(None), simulations=16, seed="a")
    assert [(each.move, each.policy) for each in thought.opinions] == [(thought.move, 1.0)]


def test_a_value_is_a_chance() -> None:
    assert [chance_of(value, 2) for value in (-1, 0, 1)] == [0, 0.5, 1]
    assert chance_of(-0.5, 3) == 0
    assert chance_of(0, 4) == 0.25


def test_the_policy_is_that_of_no_search_whatever_the_strength(kernels: None) -> None:
    """What a search makes of it is 0 for nearly every move, also for those that it visited most."""
    game = PlayedGame(config("hex8-2"), random_game("hex8-2", seed=3, plies=8).moves)
    quick, deep = (think(game.games, load_mind(None), simulations=count, seed="a") for count in (0, 64))
    assert [each.policy for each in deep.opinions] == [each.policy for each in quick.opinions]
    assert sum(each.visits for each in deep.opinions) == 64
