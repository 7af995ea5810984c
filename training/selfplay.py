"""Self-play: from a model and a seed to a shard of games, with the policies of their searches."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from engine.config import Config
from engine.search import Evaluate
from training.device_playing import OnDevice
from training.playing import FinishedGame, Playing
from training.pool import PoolJob, SelfPlayPool
from training.progress import Report, ignore_progress, never
from training.seeds import seed_words
from training.settings import SelfPlaySettings
from training.shard import Shard, offsets_of
from training.targets import Targets

_RANDOM_SLICE = 64  # random games between two reports


class NoGameError(Exception):
    """Self-play was to end before its first game was over."""


def play_shard(
    config: Config,
    evaluate: Evaluate | OnDevice | None,
    model: bytes,
    seed: bytes,
    games: int,
    settings: SelfPlaySettings,
    report: Report = ignore_progress,
    is_enough: Callable[[], bool] = never,
) -> Shard:
    """Play `games` games and return them as a shard; equal arguments give an equal shard.

    Once `is_enough` returns True, it is as if fewer games had been asked for: as many as are over, from the first on.
    So no game is left out for being long, and the shard is what the same seed gives for that number. Raise NoGameError
    if the first is not over.

    Args:
        evaluate: the model, on a device if the games are to be there, or None for the built-in `uniform`, whose games
            are played at random without search. A search with that model would learn nothing worth its time; random
            games show the winners' moves and the values of positions a hundred times as fast.
        model: the model's digest, for the header.
    """
    if evaluate is None:
        played = _play_random(config, seed, games, report, is_enough)
        return _make_shard(config, model, seed, played, Targets(), sparring=0)
    pool = SelfPlayPool(config, evaluate, settings)
    job = pool.add(seed, games)
    while not is_enough():
        is_over = bool(pool.step())
        report({"games": len(job.done), "wanted": games, "plies": job.plies})
        if is_over:
            break
    return shard_of(config, model, job, settings)


def shard_of(config: Config, model: bytes, job: PoolJob, settings: SelfPlaySettings) -> Shard:
    """Return the games of a job that are over, from the first on, as a shard. Raise NoGameError if the first is not."""
    played = job.first_games()
    if not played:
        raise NoGameError("no game is over yet")
    return _make_shard(config, model, job.seed, played, job.targets, sparring=settings.sparring)


def _make_shard(
    config: Config, model: bytes, seed: bytes, played: Sequence[FinishedGame], targets: Targets, *, sparring: int
) -> Shard:
    lengths = np.array([len(game.moves) for game in played], np.int32)
    return Shard(
        config=config.name,
        model=model,
        seed=seed,
        lengths=lengths,
        openings=np.array([game.opening for game in played], np.int32),
        winners=np.array([game.winner for game in played], np.int8),
        sparring=sparring,
        moves=np.concatenate([game.moves for game in played]),
        **targets.arrays(offsets_of(lengths)[:-1], config.players),
    )


def _play_random(
    config: Config, seed: bytes, games: int, report: Report, is_enough: Callable[[], bool]
) -> list[FinishedGame]:
    played: list[FinishedGame] = []
    for first in range(0, games, _RANDOM_SLICE):
        if played and is_enough():
            break
        numbers = range(first, min(first + _RANDOM_SLICE, games))
        playing = Playing(config, len(numbers))
        everything = np.full(len(numbers), playing.limit, np.int32)
        playing.play_random(everything, seed_words(seed, "random game", numbers))
        played += playing.finished_games(np.arange(len(numbers)), np.zeros(len(numbers), np.int32))
        report({"games": len(played), "wanted": games, "plies": sum(len(game.moves) for game in played)})
    return played
