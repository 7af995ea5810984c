"""RingRift as an environment in PettingZoo's AEC form, for learners written elsewhere (extra `pettingzoo`).

Agents are "player_1" .. "player_P". In every step the agent whose turn it is plays one move, bookkeeping moves
included; the next turn may be the same agent's. At the end the winner's reward is 1, that of the others -1 / (P - 1).

An action is the number of a move in a fixed list (`engine.actions`), so it means the same in every position: about
12,000 actions on hex8, 16,000 on square8, but 280,000 on square19 and 360,000 on hexagonal, most of them recovery
slides. `infos[agent]["actions"]` are the legal actions, `infos[agent]["moves"]` the moves that they play, in the order
of `Games.legal`: they serve learners that score moves instead of a fixed list, as our own networks do.

The observation is made for the agent to move: `observation` float32[planes, side, side], `scalars` float32[scalars]
(`engine.features`), and `action_mask` int8[actions], 1 for legal actions. The other agents get the same with an empty
mask. There is no truncation: every game ends (`engine.rules.state`).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from gymnasium.spaces import Box, Dict, Discrete
from numpy.typing import NDArray
from pettingzoo.utils.env import AECEnv

from engine.actions import action_count, number_moves
from engine.backend.dialect import Executor
from engine.config import config
from engine.features import PLANES, SCALARS, frame
from engine.games import Games

Observation = dict[str, NDArray[Any]]

_RENDER_MODES = ("ansi", "human")


class Environment(AECEnv[str, Observation, int]):  # type: ignore[misc]  # a class of an untyped module
    """Games of one configuration, one after the other: `Environment("hex8-2")`. `games` holds the current one."""

    metadata = {"name": "ringrift_v1", "render_modes": [*_RENDER_MODES], "is_parallelizable": False}  # noqa: RUF012

    def __init__(
        self,
        name: str,
        *,
        swap: bool = False,
        render_mode: str | None = "ansi",
        executor: Executor | None = None,
    ) -> None:
        """See `Games.new`. With the render mode "human" each position is printed as it comes.

        Raises:
            ValueError: there is no such configuration or render mode.
        """
        super().__init__()
        if render_mode not in (None, *_RENDER_MODES):
            raise ValueError(f"render mode {render_mode!r} is neither None nor 'ansi' or 'human'")
        self.render_mode = render_mode
        self.config = config(name)
        self._first = Games.new(self.config, 1, swap, executor)
        self.possible_agents = [f"player_{seat}" for seat in range(1, self.config.players + 1)]
        side, actions = frame(self.config.board).side, action_count(self.config)
        self.action_spaces = {agent: Discrete(actions) for agent in self.possible_agents}
        self.observation_spaces = {
            agent: Dict(
                {
                    "observation": Box(0, np.inf, (PLANES, side, side), np.float32),
                    "scalars": Box(0, np.inf, (SCALARS,), np.float32),
                    "action_mask": Box(0, 1, (actions,), np.int8),
                }
            )
            for agent in self.possible_agents
        }

    def observation_space(self, agent: str) -> Dict:
        return self.observation_spaces[agent]

    def action_space(self, agent: str) -> Discrete:
        return self.action_spaces[agent]

    def reset(self, seed: int | None = None, options: dict[str, Any] | None = None) -> None:
        """Begin a new game. `seed` changes nothing, since there is no chance in the game; there are no `options`."""
        self.games = self._first.copy()
        self.agents = list(self.possible_agents)
        self.rewards = dict.fromkeys(self.agents, 0.0)
        self._cumulative_rewards = dict.fromkeys(self.agents, 0.0)
        self.terminations = dict.fromkeys(self.agents, False)
        self.truncations = dict.fromkeys(self.agents, False)
        self._look()

    def step(self, action: int | None) -> None:
        """Play a move for the agent to move; once the game is over, take None from every agent.

        Raises:
            ValueError: the action is not legal.
        """
        if self.terminations[self.agent_selection]:
            self._was_dead_step(action)
            return
        chosen = self._moves[self._actions == action]
        if len(chosen) != 1:
            count = len(self._moves)
            raise ValueError(f"action {action} is not one of the {count} legal actions of {self.agent_selection}")
        self._cumulative_rewards[self.agent_selection] = 0.0
        self._clear_rewards()
        self.games.apply(chosen, check=False)
        winner = int(self.games.winner()[0])
        if winner:
            self.terminations = dict.fromkeys(self.agents, True)
            self.rewards = dict.fromkeys(self.agents, -1 / (self.config.players - 1))
            self.rewards[self.possible_agents[winner - 1]] = 1.0
        self._accumulate_rewards()
        self._look()

    def _look(self) -> None:
        """Set the agent to move and its legal actions; once the game is over, the agent stays the last mover."""
        self._moves = self.games.legal().moves
        self._actions = number_moves(self.config, self._moves)
        player = int(self.games.player()[0])
        if player:
            self.agent_selection = self.possible_agents[player - 1]
        self.infos: dict[str, dict[str, Any]] = {agent: {} for agent in self.agents}
        self.infos[self.agent_selection] = {"actions": self._actions, "moves": self._moves}
        if self.render_mode == "human":
            self.render()

    def observe(self, agent: str) -> Observation:
        """Return the observation of the agent to move; for another agent the mask is empty."""
        planes, scalars = self.games.features()
        mask = np.zeros(int(self.action_spaces[agent].n), np.int8)
        if agent == self.agent_selection:
            mask[self._actions] = 1
        return {"observation": planes[0], "scalars": scalars[0], "action_mask": mask}

    def render(self) -> str | None:
        """Return the canonical text of the position; with "human" print it instead, and who is to move."""
        text = self.games.text(0)
        if self.render_mode != "human":
            return text
        is_over = any(self.terminations.values())
        print(f"{text}\n{'the game is over' if is_over else f'{self.agent_selection} is to move'}\n", flush=True)
        return None

    def close(self) -> None:
        """Do nothing: there is nothing to release."""
