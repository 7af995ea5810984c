"""RingRift for one learner against fixed players, in Gymnasium's form (extra `pettingzoo`).

`AgainstPlayers("hex8-2", HeuristicPlayer())` is a game in which the learner has one seat and the given player all
others. Observation, action and mask are those of `engine.environment`, which says what they mean: a step plays one move
of the learner and then all moves until it is the learner's turn again, or the game is over. The reward comes with
the last step: 1 for a win, else -1 / (P - 1). There is no truncation.
"""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np

from engine.backend.dialect import Executor
from engine.environment import Environment, Observation
from engine.players.player import Player


class AgainstPlayers(gymnasium.Env[Observation, int]):  # type: ignore[misc]  # a class of an untyped module
    """Games of one configuration, one after the other, against a player that does not learn."""

    metadata = Environment.metadata

    def __init__(
        self,
        name: str,
        opponent: Player,
        *,
        seat: int | None = None,
        render_mode: str | None = "ansi",
        executor: Executor | None = None,
    ) -> None:
        """Set the table. The learner has the same `seat` in each game, or by chance another one if it is None.

        Raises:
            ValueError: there is no such configuration, seat or render mode.
        """
        self.games = Environment(name, render_mode=render_mode, executor=executor)
        seats = self.games.config.players
        if seat is not None and not 1 <= seat <= seats:
            raise ValueError(f"seat {seat} is not one of 1 to {seats}")
        self.render_mode = render_mode
        self.opponent = opponent
        self._seat = seat
        self.agent = self.games.possible_agents[(seat or 1) - 1]
        self.observation_space = self.games.observation_space(self.agent)
        self.action_space = self.games.action_space(self.agent)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Begin a new game: the opponents play until it is the learner's turn. All their chance comes from the seed."""
        super().reset(seed=seed)
        self.games.reset()
        seats = self.games.possible_agents
        self.agent = seats[int(self.np_random.integers(len(seats))) if self._seat is None else self._seat - 1]
        self._let_opponents_play()
        return self.games.observe(self.agent), self._info()

    def step(self, action: int) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Play a move, and let the opponents answer.

        Raises:
            ValueError: the action is not legal.
        """
        self.games.step(action)
        self._let_opponents_play()
        is_over = self.games.terminations[self.agent]
        return self.games.observe(self.agent), float(self.games.rewards[self.agent]), is_over, False, self._info()

    def _let_opponents_play(self) -> None:
        while not self.games.terminations[self.agent] and self.games.agent_selection != self.agent:
            seeds = self.np_random.integers(0, 2**64, 1, np.uint64)
            chosen = self.opponent.choose(self.games.games, seeds)
            info = self.games.infos[self.games.agent_selection]
            (action,) = info["actions"][info["moves"] == chosen[0]]
            self.games.step(int(action))

    def _info(self) -> dict[str, Any]:
        """Return the legal actions and their moves, and which agent the learner is; no actions once it is over."""
        is_over = self.games.terminations[self.agent]
        return {"agent": self.agent, **({} if is_over else self.games.infos[self.agent])}

    def action_masks(self) -> Any:
        """Return bool[actions], which are legal: the name by which learners with masks ask for it."""
        return self.games.observe(self.agent)["action_mask"].astype(bool)

    def render(self) -> str | None:
        """See `Environment.render`."""
        return self.games.render()
