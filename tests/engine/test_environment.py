"""The environment against PettingZoo's own test, and against the engine."""

from functools import partial

import numpy as np
import pytest

from engine.actions import action_count, number_moves
from engine.config import CONFIGS, config
from engine.games import Games
from engine.moves import Kind
from engine.rules import state as record

pytest.importorskip("pettingzoo", reason="the extra `pettingzoo` is not installed")

from pettingzoo.test import api_test, render_test, seed_test

from engine.environment import Environment


@pytest.mark.parametrize("name", ["hex8-2", "square8-3", "square8-4"])
@pytest.mark.filterwarnings("ignore:Observation space for each agent probably:UserWarning")
@pytest.mark.filterwarnings("ignore:Observation is not a NumPy array:UserWarning")
@pytest.mark.filterwarnings("ignore:Action mask numpy array is all zeros:UserWarning")
def test_the_interface_is_pettingzoos(name: str, kernels: None) -> None:
    # The first two warnings are given to everything but PettingZoo's own games with masks, the third to any game
    # at its end.
    api_test(Environment(name), num_cycles=400)


def test_it_is_drawn_as_pettingzoo_asks(kernels: None, capsys: pytest.CaptureFixture[str]) -> None:
    render_test(partial(Environment, "hex8-2"))
    assert capsys.readouterr().out.count("player_1 is to move") >= 3


def test_people_see_each_position_as_it_comes(kernels: None, capsys: pytest.CaptureFixture[str]) -> None:
    env = Environment("square8-2", render_mode="human")
    env.reset()
    first = capsys.readouterr().out
    assert first.startswith("b square8 2\n")
    assert first.endswith("player_1 is to move\n\n")
    env.step(int(env.infos["player_1"]["actions"][0]))
    assert "player_" in capsys.readouterr().out


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
        assert np.flatnonzero(observation["action_mask"]).tolist() == sorted(info["actions"].tolist())
        assert (info["actions"] == number_moves(games.config, info["moves"])).all()
        assert (observation["observation"] == games.features()[0][0]).all()
        assert env.observation_space(env.agent_selection).contains(observation)
        place = int(random.integers(len(info["moves"])))
        env.step(int(info["actions"][place]))
        games.apply(info["moves"][[place]])
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
        with pytest.raises(ValueError, match=f"action {action} is not one of the 183 legal actions of player_1"):
            env.step(action)
    with pytest.raises(ValueError, match="unknown configuration 'go'"):
        Environment("go")


def test_big_boards_have_their_spaces(kernels: None) -> None:
    for name in CONFIGS:
        env = Environment(name)
        env.reset()
        assert env.observation_space("player_1").contains(env.observe("player_1"))


def test_an_action_played_again_is_the_same_move(kernels: None) -> None:
    env = Environment("hex8-2", render_mode=None)
    env.reset()
    env.step(3 * 30 + 1)  # two rings on the cell in the middle
    assert str(env.render()).split("\n")[4:] == ["s 0,0 11"]
    assert env.action_space("player_2").n == action_count(env.config)
    with pytest.raises(ValueError, match="render mode 'rgb_array' is neither None nor 'ansi' or 'human'"):
        Environment("hex8-2", render_mode="rgb_array")


def test_the_pie_rule_can_be_on(kernels: None) -> None:
    env = Environment("square8-2", swap=True)
    env.reset()
    while env.agent_selection == "player_1":
        env.step(int(env.infos["player_1"]["actions"][0]))
    assert int(Kind.SW) in env.infos["player_2"]["moves"].tolist()


def test_agents_without_rings_stay_until_the_end(kernels: None) -> None:
    """An agent who has lost all rings gets no turn any more; at the end he is told the result like the others."""
    settings, seen = config("square8-3"), 0
    for seed in range(4):
        env, random = Environment(settings.name), np.random.default_rng(seed)
        env.reset()
        while not env.games.over()[0]:
            env.step(int(random.choice(env.infos[env.agent_selection]["actions"])))
            row = env.games.states[0]
            left = [seat for seat in range(1, settings.players + 1) if record.any_rings(row, seat)]
            assert env.agents == env.possible_agents
            if env.games.phase()[0] == record.PLACEMENT:
                assert int(env.agent_selection[-1]) in left
        seen += len(left) < settings.players
        assert sum(env.rewards.values()) == pytest.approx(0)
        assert env.terminations == dict.fromkeys(env.possible_agents, True)
        for _ in env.possible_agents:
            env.step(None)
        assert env.agents == []
    assert seen > 0
