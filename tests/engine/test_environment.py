"""The environment against PettingZoo's own test, and against the engine."""

import numpy as np
import pytest

from engine.config import CONFIGS, config
from engine.games import Games

pytest.importorskip("pettingzoo", reason="the extra `pettingzoo` is not installed")

from pettingzoo.test import api_test, seed_test

from engine.environment import Environment


@pytest.mark.parametrize("name", ["hex8-2", "square8-4"])
@pytest.mark.filterwarnings("ignore:Observation space for each agent probably:UserWarning")
@pytest.mark.filterwarnings("ignore:Observation is not a NumPy array:UserWarning")
@pytest.mark.filterwarnings("ignore:Action mask numpy array is all zeros:UserWarning")
def test_the_interface_is_pettingzoos(name: str, kernels: None) -> None:
    # The first two warnings are given to everything but PettingZoo's own games with masks, the third to any game
    # at its end.
    api_test(Environment(name), num_cycles=400)


def test_the_seed_changes_nothing(kernels: None) -> None:
    seed_test(lambda: Environment("hex8-3"), num_cycles=60)


@pytest.mark.parametrize("name", ["square8-2", "hex8-3"])
def test_a_game_played_through_it_is_the_engines(name: str, kernels: None) -> None:
    env, games, random = Environment(name), Games.new(config(name), 1), np.random.default_rng(5)
    env.reset()
    while not games.over()[0]:
        observation, reward, terminated, truncated, info = env.last()
        assert (reward, terminated, truncated) == (0, False, False)
        assert env.agent_selection == f"player_{games.player()[0]}"
        assert (info["moves"] == games.legal().moves).all()
        assert observation["action_mask"].sum() == len(info["moves"])
        assert (observation["observation"] == games.features()[0][0]).all()
        assert env.observation_space(env.agent_selection).contains(observation)
        action = int(random.integers(len(info["moves"])))
        env.step(action)
        games.apply(info["moves"][[action]])
        assert env.render() == games.text(0)
    rewards = {}
    for agent in env.agent_iter():
        _, rewards[agent], terminated, _, _ = env.last()
        assert terminated
        env.step(None)
    loss = -1 / (config(name).players - 1)
    expected = {agent: 1.0 if agent == f"player_{games.winner()[0]}" else loss for agent in env.possible_agents}
    assert rewards == expected
    assert env.agents == []


def test_actions_that_are_no_moves_are_refused(kernels: None) -> None:
    env = Environment("hex8-2")
    env.reset()
    for action in (-1, 183, None):
        with pytest.raises(ValueError, match=f"action {action}: player_1 has 183 legal moves"):
            env.step(action)
    with pytest.raises(ValueError, match="unknown configuration 'go'"):
        Environment("go")


def test_big_boards_have_their_spaces(kernels: None) -> None:
    for name in CONFIGS:
        env = Environment(name)
        env.reset()
        assert env.observation_space("player_1").contains(env.observe("player_1"))
