"""Games that tests of playing share, and the process that plays, without a process."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import trio

from engine.backend.dialect import PLAIN
from engine.config import config
from node.play.game import PlayedGame
from node.play.models import HEURISTIC, FoundModel
from node.play.process import answer
from node.work.worker import Report, WorkError
from training.arrays import Stored
from training.shard import VALUE_UNIT, Shard, write_shard


def random_game(name: str, seed: int, plies: int | None = None) -> PlayedGame:
    """Return a game of random moves, to its end or for some plies."""
    game, chance = PlayedGame(config(name), executor=PLAIN), np.random.default_rng(seed)
    while not game.is_over and (plies is None or len(game.moves) < plies):
        game.play(int(chance.choice([choice.move for choice in game.choices])))
    return game


def write_shard_of(directory: Path, games: Sequence[PlayedGame], every: int = 3) -> Stored:
    """Write a shard of games, with a search of each `every`th move that half of the time wants what was played."""
    searched, entries, values, first = [], list[int](), list[float](), 0
    for game in games:
        again = PlayedGame(game.config, executor=PLAIN)
        for number, move in enumerate(game.moves):
            if number % every == 0:
                legal = again.games.legal().moves.tolist()
                played = legal.index(move)
                entries += sorted({played, (played + 1) % len(legal)})
                searched.append((first + number, len({played, (played + 1) % len(legal)})))
                values += [number / len(game.moves), -number / len(game.moves)]
            again.apply(move, check=False)
        first += len(game.moves)
    choices = np.array([count for _, count in searched], np.int32)
    halves = [[65_535] if count == 1 else [40_000, 25_535] for count in choices]
    shard = Shard(
        config=games[0].config.name,
        model=bytes(range(32)),
        seed=bytes(32),
        lengths=np.array([len(game.moves) for game in games], np.int32),
        openings=np.full(len(games), 2, np.int32),
        winners=np.array([game.position().winner for game in games], np.int8),
        moves=np.concatenate([np.array(game.moves, np.int64) for game in games]),
        searched=np.array([place for place, _ in searched], np.int32),
        choices=choices,
        entries=np.array(entries, np.uint16),
        weights=np.concatenate(halves).astype(np.uint16),
        values=np.rint(np.array(values) * VALUE_UNIT).astype(np.int16),
        sparring=2,
    )
    return write_shard(directory, shard)


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
