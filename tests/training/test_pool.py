"""The pool of self-play: jobs that share their searches get the games that they would get alone, to the byte."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from engine.config import Config, config
from engine.search import EvalBatch, Evaluate, Evaluation, evaluate_uniformly
from tests.training.conftest import MODEL, QUICK
from training.device_playing import OnDevice
from training.evaluate import NetworkEvaluator
from training.network import Network
from training.pool import PoolJob, SelfPlayPool
from training.selfplay import NoGameError, play_shard, shard_of
from training.settings import SelfPlaySettings
from training.shard import Shard, write_shard

MIXED = replace(QUICK, simulations=4, fast_simulations=1, full_share=400, sparring=3, concurrency=6)
"""Full and fast searches, games of the heuristic, and games that begin in the places of others."""


class Counter:
    """An evaluator that keeps the sizes of its batches."""

    def __init__(self, evaluate: Evaluate) -> None:
        self._evaluate = evaluate
        self.sizes: list[int] = []

    def __call__(self, batch: EvalBatch) -> Evaluation:
        self.sizes.append(len(batch.states))
        return self._evaluate(batch)


def seed_of(number: int) -> bytes:
    return hashlib.sha256(b"job %d" % number).digest()


def play_in_pool(
    game: Config, evaluate: Evaluate | OnDevice, settings: SelfPlaySettings, sizes: Sequence[int], most: int = 3
) -> list[Shard]:
    """Play jobs of these sizes as a worker gets them: another one when there is room, at most `most` at once."""
    pool, waiting, jobs = SelfPlayPool(game, evaluate, settings), list(enumerate(sizes)), []
    running: list[PoolJob] = []
    while waiting or running:
        if waiting and pool.has_room and len(running) < most:
            number, size = waiting.pop(0)
            running.append(pool.add(seed_of(number), size))
            jobs.append(running[-1])
        assert len(pool) <= pool.places
        for job in pool.step():
            running.remove(job)
    return [shard_of(game, MODEL, job, settings) for job in jobs]


def digests(folder: Path, shards: Sequence[Shard]) -> list[bytes]:
    return [write_shard(folder, shard).digest for shard in shards]


@pytest.mark.parametrize(
    ("name", "settings", "sizes"),
    [
        ("hex8-2", MIXED, (5, 1, 3, 9, 2)),
        ("hex8-2", replace(QUICK, concurrency=16), (2, 3, 4)),
        ("hex8-2", replace(MIXED, concurrency=1), (2, 2)),
        ("square8-3", MIXED, (4, 3, 2)),
    ],
)
def test_each_job_gets_the_shard_that_it_gets_alone(
    name: str, settings: SelfPlaySettings, sizes: tuple[int, ...], small_network: Network, tmp_path: Path
) -> None:
    game, evaluate = config(name), NetworkEvaluator(small_network)
    together = play_in_pool(game, evaluate, settings, sizes)
    alone = [play_shard(game, evaluate, MODEL, seed_of(number), size, settings) for number, size in enumerate(sizes)]
    found = digests(tmp_path, together)
    assert found == digests(tmp_path, alone)
    assert len(set(found)) == len(sizes)


def test_batches_do_not_shrink_where_jobs_end_as_long_as_others_come() -> None:
    settings = replace(QUICK, concurrency=12)
    together, alone = Counter(evaluate_uniformly), Counter(evaluate_uniformly)
    play_in_pool(config("hex8-2"), together, settings, [6] * 8)
    for number in range(8):
        play_shard(config("hex8-2"), alone, MODEL, seed_of(number), 6, settings)
    assert sum(together.sizes) == sum(alone.sizes)
    assert np.mean(alone.sizes) < 5.5
    half = together.sizes[: len(together.sizes) // 2]  # a few games are at a forced move or in the last step
    assert np.mean(half) > 11
    assert len(together.sizes) < 0.6 * len(alone.sizes)


def test_the_oldest_job_is_served_first_and_its_share_of_the_moves_is_told() -> None:
    pool = SelfPlayPool(config("hex8-2"), evaluate_uniformly, replace(QUICK, concurrency=4))
    first, second = pool.add(seed_of(0), 6), pool.add(seed_of(1), 4)
    assert first.share == 1000
    assert not pool.has_room
    pool.step()
    assert (first.begun, second.begun) == (4, 0)
    ended = []
    while not (first.is_over and second.is_over):
        ended += pool.step()
    assert ended == [first, second]
    assert first.share > 700
    assert 300 < second.share < 700
    assert len(pool) == 0


def test_a_job_that_is_dropped_or_has_enough_leaves_the_others_as_they_are(tmp_path: Path) -> None:
    game, settings = config("hex8-2"), replace(QUICK, concurrency=6)
    pool = SelfPlayPool(game, evaluate_uniformly, settings)
    dropped, stopped, kept = pool.add(seed_of(0), 2), pool.add(seed_of(1), 40), pool.add(seed_of(2), 3)
    for _ in range(5):
        pool.step()
    pool.drop(dropped)
    while len(stopped.first_games()) < 2:
        pool.step()
    pool.drop(stopped)
    while not kept.is_over:
        pool.step()
    with pytest.raises(NoGameError):
        shard_of(game, MODEL, dropped, settings)
    found = [shard_of(game, MODEL, job, settings) for job in (stopped, kept)]
    wanted = [
        play_shard(game, evaluate_uniformly, MODEL, job.seed, len(shard.lengths), settings)
        for job, shard in zip((stopped, kept), found, strict=True)
    ]
    assert digests(tmp_path, found) == digests(tmp_path, wanted)


def test_fewer_places_are_left_as_games_end(tmp_path: Path) -> None:
    game, settings = config("hex8-2"), replace(QUICK, concurrency=8)
    counter = Counter(evaluate_uniformly)
    pool = SelfPlayPool(game, counter, settings)
    job = pool.add(seed_of(0), 20)
    while not job.done:
        pool.step()
    pool.places = 2
    while not job.is_over:
        pool.step()
    assert max(counter.sizes[-100:]) <= 2
    alone = play_shard(game, evaluate_uniformly, MODEL, seed_of(0), 20, settings)
    assert digests(tmp_path, [shard_of(game, MODEL, job, settings)]) == digests(tmp_path, [alone])
