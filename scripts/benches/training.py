"""Measure the positions of training per second of processor time, and what their parts take.

In turn, in one process and one thread, run: whole trainings, from the games on; the gradients alone; the gradients by
torch, which tests hold the kernels against; and torch's convolutions alone, forward and backward, as the measure of the
machine. Each figure is the median of several rounds.
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
import torch.nn.functional as functional
from rich.console import Console
from rich.table import Table

from engine.config import CONFIGS, Config, config
from training.batches import make_batch, make_examples
from training.experience import Experience
from training.geometry import Geometry
from training.gradients import Gradients
from training.losses import Weights, losses, weigh
from training.network import Network, parse_architecture
from training.progress import ignore_progress
from training.replay import Verified, replay_games
from training.selfplay import play_shard
from training.settings import SelfPlaySettings, TrainSettings
from training.trainer import train

_SEED = b"b" * 32
_ROUNDS_OF = ("steps", "gradients", "torch", "convolutions")


def parse(argv: list[str]) -> argparse.Namespace:
    purpose = (__doc__ or "").split("\n")[0]
    parser = argparse.ArgumentParser(prog="scripts/bench training", description=purpose)
    parser.add_argument("--config", action="append", choices=list(CONFIGS), help="configuration (hex8-2)")
    parser.add_argument("--architecture", action="append", help="the network's architecture (c16b2)")
    parser.add_argument("--batch", type=int, default=256, help="positions of a step (256)")
    parser.add_argument("--games", type=int, default=512, help="random games to train on (512)")
    parser.add_argument("--steps", type=int, default=50, help="steps of each training (50)")
    parser.add_argument("--rounds", type=int, default=5, help="rounds, of which the median counts (5)")
    parser.add_argument("--seconds", type=float, default=0.5, help="least time of each measurement in a round (0.5)")
    parser.add_argument("--json", action="store_true", help="print one object for programs")
    return parser.parse_args(argv)


def play(settings: Config, games: int) -> Experience:
    """Return random games to train on."""
    shard = play_shard(settings, None, _SEED, _SEED, games, SelfPlaySettings())
    return Experience(settings, [Verified(shard, replay_games(settings, shard.moves, shard.lengths, ignore_progress))])


def works(experience: Experience, architecture: str, arguments: argparse.Namespace) -> dict[str, Callable[[], int]]:
    """Return what is measured, by name: each does some work and returns the number of positions."""
    geometry = Geometry.of(experience.config)
    steps: int = arguments.steps
    settings = TrainSettings(architecture=architecture, steps=steps, batch=arguments.batch)
    samples = experience.draw(np.random.default_rng(0), np.arange(len(experience)), 64)
    examples = make_examples(experience, samples, 0, arguments.batch)
    batch = make_batch(experience, samples, 0, arguments.batch)
    count = len(examples.states)
    gradients, by_torch = Gradients(Network(architecture), experience.config), Network(architecture)

    def run_training() -> int:
        train(experience, None, _SEED, settings)
        return steps * count

    def run_gradients() -> int:
        gradients.update(examples, Weights())
        return count

    def run_torch() -> int:
        by_torch.zero_grad()
        weigh(losses(by_torch, geometry, batch), Weights()).backward()  # type: ignore[no-untyped-call]
        return count

    side = batch.planes.shape[2]
    return dict(
        zip(
            _ROUNDS_OF,
            (run_training, run_gradients, run_torch, bare_convolutions(architecture, count, side)),
            strict=True,
        )
    )


def bare_convolutions(architecture: str, positions: int, side: int) -> Callable[[], int]:
    """Return a run of torch's convolutions of all blocks, forward and backward."""
    channels, blocks = parse_architecture(architecture)
    x = torch.randn(positions, channels, side, side).contiguous(memory_format=torch.channels_last)
    weight = torch.randn(channels, channels, 3, 3).requires_grad_()
    x.requires_grad_()
    change = torch.randn_like(x)

    def run() -> int:
        for _ in range(2 * blocks):
            torch.autograd.grad(functional.conv2d(x, weight, padding=1), (x, weight), change)
        return positions

    return run


def rate(work: Callable[[], int], seconds: float) -> float:
    """Return the positions per second of processor time."""
    done, begin = 0, time.process_time()
    while (spent := time.process_time() - begin) < seconds or done == 0:
        done += work()
    return done / spent


def measure(experience: Experience, architecture: str, arguments: argparse.Namespace) -> dict[str, Any]:
    """Measure one architecture: all works in every round."""
    named = works(experience, architecture, arguments)
    for work in named.values():
        work()
    rounds = [{name: rate(work, arguments.seconds) for name, work in named.items()} for _ in range(arguments.rounds)]
    medians = {name: statistics.median(each[name] for each in rounds) for name in named}
    return {
        "config": experience.config.name,
        "architecture": architecture,
        "batch": arguments.batch,
        "steps_per_s": round(medians["steps"] / arguments.batch, 2),
        "rows_per_s": round(medians["steps"]),
        "gradient_rows_per_s": round(medians["gradients"]),
        "torch_rows_per_s": round(medians["torch"]),
        "convolution_rows_per_s": round(medians["convolutions"]),
        "against_torch": round(medians["gradients"] / medians["torch"], 3),
        "against_convolutions": round(medians["steps"] / medians["convolutions"], 3),
    }


def show(results: list[dict[str, Any]]) -> None:
    names = ("config", "network", "batch", "steps/s", "rows/s", "gradients: rows/s", "by torch", "convolutions")
    table = Table(*names, "gradients / torch", "rows / convolutions")
    for column in table.columns[2:]:
        column.justify = "right"
    for row in results:
        rates = [f"{row[f'{name}rows_per_s']:,}" for name in ("", "gradient_", "torch_", "convolution_")]
        ratios = [f"{row[name]:.2f}" for name in ("against_torch", "against_convolutions")]
        table.add_row(
            row["config"], row["architecture"], str(row["batch"]), f"{row['steps_per_s']:.1f}", *rates, *ratios
        )
    Console(highlight=False, width=160).print(table)


def main(argv: list[str]) -> int:
    arguments = parse(argv)
    torch.set_num_threads(1)
    torch.manual_seed(0)
    results = []
    for name in arguments.config or ["hex8-2"]:
        experience = play(config(name), arguments.games)
        results += [measure(experience, each, arguments) for each in arguments.architecture or ["c16b2"]]
    if arguments.json:
        print(json.dumps({"results": results}))
    else:
        show(results)
    return 0
