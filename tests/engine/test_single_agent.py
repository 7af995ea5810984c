"""The environment for one learner against fixed players: Gymnasium's own test, and games against the engine."""

import numpy as np
import pytest

from engine.games import Games
from engine.players import HeuristicPlayer, UniformPlayer

pytest.importorskip("pettingzoo", reason="the extra `pettingzoo` is not installed")

from gymnasium.utils.env_checker import data_equivalence

from engine.single_agent import AgainstPlayers


def play(env: AgainstPlayers, seed: int) -> tuple[list[int], float]:
    """Play a game by chance; return the actions and the reward at the end."""
    random, actions = np.random.default_rng(seed), []
    observation, info = env.reset(seed=seed)
    while True:
        assert env.observation_space.contains(observation)
        assert np.flatnonzero(env.action_masks()).tolist() == sorted(info["actions"].tolist())
        actions.append(int(random.choice(info["actions"])))
        observation, reward, terminated, truncated, info = env.step(actions[-1])
        assert not truncated
        if terminated:
            assert set(info) == {"agent"}
            return actions, reward
        assert reward == 0


@pytest.mark.parametrize(("name", "seat"), [("square8-2", 2), ("hex8-3", None), ("square8-4", 3)])
def test_a_game_ends_with_a_win_or_a_loss(name: str, seat: int | None, kernels: None) -> None:
    env = AgainstPlayers(name, UniformPlayer(), seat=seat)
    _, reward = play(env, 3)
    assert seat is None or env.agent == f"player_{seat}"
    won = env.games.games.winner()[0] == int(env.agent.removeprefix("player_"))
    assert reward == (1 if won else -1 / (env.games.config.players - 1))


def test_equal_seeds_are_equal_games_whoever_sits_where(kernels: None) -> None:
    env, again = (AgainstPlayers("square8-3", UniformPlayer()) for _ in range(2))
    seats = set()
    for seed in range(6):
        assert play(env, seed) == play(again, seed)
        assert data_equivalence(env.games.observe(env.agent), again.games.observe(again.agent))
        seats.add(env.agent)
    assert len(seats) > 1


def test_the_opponent_plays_as_it_would_elsewhere(kernels: None) -> None:
    env = AgainstPlayers("hex8-2", HeuristicPlayer(), seat=2)
    env.reset(seed=11)
    chance = np.random.default_rng(11)
    games, moves = Games.new(env.games.config, 1), 0
    while games.player()[0] == 1:
        games.apply(HeuristicPlayer().choose(games, chance.integers(0, 2**64, 1, np.uint64)))
        moves += 1
    assert moves >= 1
    assert env.render() == games.text(0)


def test_mistakes_are_one_line(kernels: None) -> None:
    with pytest.raises(ValueError, match="seat 3 is not one of 1 to 2"):
        AgainstPlayers("hex8-2", UniformPlayer(), seat=3)
    env = AgainstPlayers("hex8-2", UniformPlayer(), seat=1)
    env.reset(seed=1)
    with pytest.raises(ValueError, match="action -1 is not one of the 183 legal actions of player_1"):
        env.step(-1)
