"""Games that tests of playing share, and the process that plays, without a process."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import trio

from engine.backend.dialect import PLAIN
from engine.config import config
from node.play.game import PlayedGame
from node.play.models import HEURISTIC, FoundModel
from node.play.process import answer
from node.work.worker import Report, WorkError


def random_game(name: str, seed: int, plies: int | None = None) -> PlayedGame:
    """Return a game of random moves, to its end or for some plies."""
    game, chance = PlayedGame(config(name), executor=PLAIN), np.random.default_rng(seed)
    while not game.is_over and (plies is None or len(game.moves) < plies):
        game.play(int(chance.choice([choice.move for choice in game.choices])))
    return game


class InProcess:
    """Does the jobs at once, unless something is to go wrong."""

    def __init__(self) -> None:
        self.closed = 0
        self.takes_s = 0.0
        self.progress: list[tuple[float, str]] = []
        self.failure: WorkError | None = None

    async def perform(self, job: Mapping[str, Any], report: Report) -> Mapping[str, Any]:
        for pause_s, compiling in self.progress:
            await trio.sleep(pause_s)
            report({"compiling": compiling})
        await trio.sleep(self.takes_s)
        if self.failure is not None:
            raise self.failure
        return answer(job, report)

    async def aclose(self) -> None:
        self.closed += 1


async def heuristic(configuration: str) -> FoundModel:
    return HEURISTIC
