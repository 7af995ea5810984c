"""Measure the network's evaluations in self-play with search, and those of the bare network, at several batch sizes.

Both run in turn, in one process and one thread, and are counted per second of processor time; each figure is the
median of several rounds. `share` is what self-play reaches of the bare network at its best batch.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from rich.console import Console
from rich.table import Table

from engine.backend.cpu import cpu
from engine.config import CONFIGS, Config, config
from engine.games import Games
from engine.search import EvalBatch, Evaluate, Evaluation, gumbel_search
from training.evaluate import NetworkEvaluator
from training.inference_kernels import run_network
from training.network import Network
from training.playing import Playing

_BATCHES = (8, 16, 32, 64, 96, 128, 192, 256)
_SIMULATIONS = 16
_CONSIDERED = 16
_OPENING_PLIES = 96  # most random plies before the search begins, so that the games are in all stages from the start


def parse(argv: list[str]) -> argparse.Namespace:
    purpose = (__doc__ or "").split("\n")[0]
    parser = argparse.ArgumentParser(prog="scripts/bench search", description=purpose)
    parser.add_argument("--config", action="append", choices=list(CONFIGS), help="configuration (hex8-2)")
    parser.add_argument("--architecture", default="c16b2", help="the network's architecture (c16b2)")
    parser.add_argument("--batch", action="append", type=int, help="games at once; default: 8 to 256")
    parser.add_argument("--rounds", type=int, default=5, help="rounds, of which the median counts (5)")
    parser.add_argument("--seconds", type=float, default=0.5, help="least time of each measurement in a round (0.5)")
    parser.add_argument("--json", action="store_true", help="print one object for programs")
    return parser.parse_args(argv)


class Counter:
    """An evaluator that counts the positions it is asked for."""

    def __init__(self, evaluate: Evaluate) -> None:
        self._evaluate = evaluate
        self.count = 0

    def __call__(self, batch: EvalBatch) -> Evaluation:
        self.count += len(batch.states)
        return self._evaluate(batch)


class SelfPlay:
    """Games that are played with search; each begins with random plies and is replaced when it ends."""

    def __init__(self, settings: Config, evaluate: Evaluate, batch: int) -> None:
        self._random = np.random.default_rng(batch)
        self._evaluate = Counter(evaluate)
        self._playing = Playing(settings, batch)
        self._open(np.arange(batch))

    def step(self) -> int:
        """Play one searched move in every game and return the number of evaluations."""
        before, games = self._evaluate.count, self._playing.games
        found = gumbel_search(
            games,
            self._evaluate,
            simulations=_SIMULATIONS,
            considered=_CONSIDERED,
            seeds=self._random.integers(2**64, size=len(games), dtype=np.uint64),
        )
        self._playing.play(np.arange(len(games)), found.actions)
        self._playing.play_forced()
        ended = np.flatnonzero(self._playing.finished())
        if len(ended):
            self._playing.restart(ended)
            self._open(ended)
        return self._evaluate.count - before

    def _open(self, where: np.ndarray[Any, np.dtype[np.int64]]) -> None:
        """Play random plies in the new games at the places `where`, and again where a game ends by that."""
        while len(where):
            plies = np.zeros(len(self._playing.games), np.int32)
            plies[where] = self._random.integers(_OPENING_PLIES, size=len(where))
            seeds = self._random.integers(2**64, size=len(plies), dtype=np.uint64)
            self._playing.play_random(plies, seeds)
            self._playing.play_forced()
            where = np.flatnonzero(self._playing.finished())
            self._playing.restart(where)

    def positions(self) -> Games:
        """Return the positions to move in."""
        return self._playing.games.copy()


def bare_forward(evaluate: NetworkEvaluator, games: Games) -> Callable[[], int]:
    """Return a run of the network alone, so many times as there are games, which returns that number.

    It writes no features and scores no moves; how long it takes does not depend on the positions.
    """
    program = evaluate.program(games.config)
    memory = np.random.default_rng(0).random((1, program.memory), np.float32)

    def run() -> int:
        arguments = (program.steps, program.indices, program.weights, memory)
        cpu().launch(run_network, len(games), *arguments)
        return len(games)

    return run


def rate(work: Callable[[], int], seconds: float) -> float:
    """Return the evaluations per second of processor time; `work` makes some and returns their number."""
    done, begin = 0, time.process_time()
    while (spent := time.process_time() - begin) < seconds or done == 0:
        done += work()
    return done / spent


def measure(
    settings: Config, network: Network, batches: list[int], arguments: argparse.Namespace
) -> list[dict[str, Any]]:
    """Measure all batch sizes of a configuration, each in every round."""
    evaluate = NetworkEvaluator(network)
    played = [SelfPlay(settings, evaluate, batch) for batch in batches]
    bare = [bare_forward(evaluate, games.positions()) for games in played]
    for warm in (*(games.step for games in played), *bare):
        warm()
    rounds = [
        [
            (rate(games.step, arguments.seconds), rate(run, arguments.seconds))
            for games, run in zip(played, bare, strict=True)
        ]
        for _ in range(arguments.rounds)
    ]
    medians = [tuple(map(statistics.median, zip(*pairs, strict=True))) for pairs in zip(*rounds, strict=True)]
    best = max(forward for _, forward in medians)
    return [
        {
            "config": settings.name,
            "architecture": network.architecture,
            "batch": batch,
            "evaluations_per_s": round(search),
            "bare_per_s": round(forward),
            "share": round(search / best, 3),
        }
        for batch, (search, forward) in zip(batches, medians, strict=True)
    ]


def show(results: list[dict[str, Any]]) -> None:
    table = Table("config", "network", "games", "evaluations/s", "bare/s", "share of best")
    for column in table.columns[2:]:
        column.justify = "right"
    for row in results:
        rates = f"{row['evaluations_per_s']:,}", f"{row['bare_per_s']:,}", f"{row['share']:.0%}"
        table.add_row(row["config"], row["architecture"], str(row["batch"]), *rates)
    Console(highlight=False).print(table)


def main(argv: list[str]) -> int:
    arguments = parse(argv)
    torch.set_num_threads(1)
    torch.manual_seed(0)
    network = Network(arguments.architecture).eval()
    results = []
    for name in arguments.config or ["hex8-2"]:
        results += measure(config(name), network, arguments.batch or list(_BATCHES), arguments)
    if arguments.json:
        print(json.dumps({"results": results}))
    else:
        show(results)
    return 0
