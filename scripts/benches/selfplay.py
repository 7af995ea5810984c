"""Measure self-play of jobs of few games: one after the other, and with several that share a pool.

A worker gets the next job where there is room in its pool, up to so many at once. Each way plays the same jobs in every
round, in turn, in one process and one thread; games are counted per hour of processor time, and each figure is the
median of the rounds.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from dataclasses import dataclass
from typing import Any

import torch
from rich.console import Console
from rich.table import Table

from engine.config import CONFIGS, Config, config
from engine.search import EvalBatch, Evaluate, Evaluation
from training.evaluate import NetworkEvaluator
from training.network import Network
from training.pool import PoolJob, SelfPlayPool
from training.seeds import derive_seed
from training.settings import SelfPlaySettings

_SEED = b"b" * 32
_AT_ONCE = (1, 2, 8)


def parse(argv: list[str]) -> argparse.Namespace:
    purpose = (__doc__ or "").split("\n")[0]
    parser = argparse.ArgumentParser(prog="scripts/bench selfplay", description=purpose)
    parser.add_argument("--config", choices=list(CONFIGS), default="hex8-2", help="configuration (hex8-2)")
    parser.add_argument("--architecture", default="c16b2", help="the network's architecture (c16b2)")
    parser.add_argument("--games", type=int, default=32, help="games of a job (32)")
    parser.add_argument("--jobs", type=int, default=16, help="jobs in a round (16)")
    parser.add_argument("--places", type=int, default=SelfPlaySettings().concurrency, help="games at once (256)")
    parser.add_argument("--rounds", type=int, default=3, help="rounds, of which the median counts (3)")
    parser.add_argument("--json", action="store_true", help="print one object for programs")
    return parser.parse_args(argv)


@dataclass(frozen=True)
class Played:
    """What one way of playing the jobs of a round took."""

    games: int
    batches: int
    evaluations: int
    seconds: float  # of processor time


class Counter:
    """An evaluator that counts batches and positions."""

    def __init__(self, evaluate: Evaluate) -> None:
        self._evaluate = evaluate
        self.batches = self.evaluations = 0

    def __call__(self, batch: EvalBatch) -> Evaluation:
        self.batches += 1
        self.evaluations += len(batch.states)
        return self._evaluate(batch)


def play(settings: Config, evaluate: Evaluate, options: argparse.Namespace, at_once: int) -> Played:
    """Play all jobs of a round, at most `at_once` at the same time."""
    counter, begin, made = Counter(evaluate), time.process_time(), 0
    pool = SelfPlayPool(settings, counter, SelfPlaySettings(concurrency=options.places))
    running: list[PoolJob] = []
    waiting = list(range(options.jobs))
    while waiting or running:
        while waiting and len(running) < at_once and (pool.has_room or not running):
            running.append(pool.add(derive_seed(_SEED, "job", waiting.pop(0)), options.games))
        for job in pool.step():
            running.remove(job)
            made += len(job.done)
    return Played(made, counter.batches, counter.evaluations, time.process_time() - begin)


def measure(options: argparse.Namespace) -> list[dict[str, Any]]:
    """Measure each way in every round, after a short one that is not counted."""
    settings, evaluate = config(options.config), NetworkEvaluator(Network(options.architecture).eval())
    play(settings, evaluate, argparse.Namespace(jobs=1, games=1, places=1), 1)
    rounds = [[play(settings, evaluate, options, at_once) for at_once in _AT_ONCE] for _ in range(options.rounds)]
    return [
        {
            "config": settings.name,
            "architecture": options.architecture,
            "games": options.games,
            "at_once": at_once,
            "batch": round(ways[0].evaluations / ways[0].batches, 1),
            "games_per_h": round(statistics.median(3600 * way.games / way.seconds for way in ways)),
            "evaluations_per_s": round(statistics.median(way.evaluations / way.seconds for way in ways)),
        }
        for at_once, ways in zip(_AT_ONCE, zip(*rounds, strict=True), strict=True)
    ]


def show(results: list[dict[str, Any]]) -> None:
    table = Table("config", "network", "games in a job", "jobs at once", "mean batch", "games/h", "evaluations/s")
    for column in table.columns[2:]:
        column.justify = "right"
    for row in results:
        counts = (f"{row[name]:,}" for name in ("games", "at_once", "batch", "games_per_h", "evaluations_per_s"))
        table.add_row(row["config"], row["architecture"], *counts)
    Console(highlight=False).print(table)


def main(argv: list[str]) -> int:
    options = parse(argv)
    torch.set_num_threads(1)
    torch.manual_seed(0)
    results = measure(options)
    if options.json:
        print(json.dumps({"results": results}))
    else:
        show(results)
    return 0
