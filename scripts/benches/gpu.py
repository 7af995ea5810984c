"""Compare a GPU's games, searches and gradients with the CPU's, then measure random play, search and work there.

First the tests that compare run; if one fails, nothing is measured. Random play is measured at several batch sizes, and
on one core and all cores of the same machine; search at one, beside the bare network; self-play as a slot of a node
plays it, with as many games; and the gradients of a training, beside those of one core.

Figures are per second of wall time, the best of several runs. Compilation does not count.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from rich.console import Console
from rich.table import Table

from engine.backend.cpu import cpu
from engine.backend.cuda import Device, DeviceError
from engine.config import CONFIGS, Config, config
from engine.device_games import DeviceGames
from engine.games import Games
from engine.search.device_search import DeviceSearch
from scripts.benches._gpu_work import measure_gradients, measure_play
from training.device_evaluate import TorchEvaluator
from training.network import Network

_COMPARISONS = (
    "tests/engine/backend/test_cuda.py",
    "tests/engine/search/test_device_search.py",
    "tests/training/test_device_evaluate.py",
    "tests/training/test_device_playing.py",
    "tests/training/test_torch_gradients.py",
)
_SIMULATIONS = 16
_SIZES = {"cuda": [1024, 4096, 16384, 65536], "cpu": [64]}
_SEARCHED = {"cuda": 4096, "cpu": 64}
_FOREVER = 2**31 - 1
_MIDDLE = 40  # steps before single ones are measured, so that games are in many phases
_SINGLE = 32


def parse(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/bench gpu", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--config", action="append", choices=list(CONFIGS), help="default: the four for 2 players")
    parser.add_argument("--games", action="append", type=int, help="batch size; default: 1024 to 65536, or 64 on cpu")
    parser.add_argument("--runs", type=int, default=3, help="runs, of which the best counts (3)")
    parser.add_argument(
        "--device", default="cuda", help="cuda, cuda:1 ...; cpu runs the same code on Warp's CPU device"
    )
    parser.add_argument("--cpu", action="store_const", dest="device", const="cpu", help="the same as --device cpu")
    parser.add_argument("--architecture", default="c32b4", help="of the network that searches (c32b4)")
    parser.add_argument("--untested", action="store_true", help="measure without comparing first")
    parser.add_argument("--json", action="store_true", help="print one object for programs")
    return parser.parse_args(argv)


def best(runs: int, run: Callable[[int], tuple[int, float]]) -> int:
    """Return the highest number of steps per second; `run` takes a seed and returns steps and seconds."""
    return round(max(steps / seconds for steps, seconds in map(run, range(runs))))


def whole_games(settings: Config, count: int, device: Device) -> Callable[[int], tuple[int, float]]:
    """Play games from their first position to their end in one launch; near its end few games still run."""

    def run(seed: int) -> tuple[int, float]:
        games = DeviceGames.new(settings, count, device=device)
        device.wait()
        begin = time.perf_counter()
        played = games.play_randomly(seed, _FOREVER)
        device.wait()
        spent = time.perf_counter() - begin
        games.check()
        return int(device.download(played).sum()), spent

    return run


def single_steps(settings: Config, count: int, device: Device) -> Callable[[int], tuple[int, float]]:
    """Play with one launch a step, as learners do; all games are in their middle."""

    def run(seed: int) -> tuple[int, float]:
        games = DeviceGames.new(settings, count, device=device)
        games.play_randomly(seed, _MIDDLE)
        before = int(games.download().ply().sum())
        begin = time.perf_counter()
        for _ in range(_SINGLE):
            games.play_randomly(seed, 1)
        device.wait()
        spent = time.perf_counter() - begin
        return int(games.download().ply().sum()) - before, spent

    return run


def on_cores(settings: Config, count: int, threads: int) -> Callable[[int], tuple[int, float]]:
    """Play whole games on the CPU."""

    def run(seed: int) -> tuple[int, float]:
        games = Games.new(settings, count, executor=cpu(threads))
        begin = time.perf_counter()
        steps = int(games.play_randomly(seed, _FOREVER).sum())
        return steps, time.perf_counter() - begin

    return run


def measure(settings: Config, sizes: list[int], device: Device, runs: int) -> list[dict[str, Any]]:
    """Return one entry for each batch size."""
    cores = len(os.sched_getaffinity(0))
    fewest = min(sizes)
    whole_games(settings, 1, device)(0)  # compiles
    core = best(runs, on_cores(settings, fewest, 1))
    everything = best(runs, on_cores(settings, fewest, cores))
    results = []
    for count in sizes:
        whole = best(runs, whole_games(settings, count, device))
        results.append(
            {
                "config": settings.name,
                "device": device.title,
                "games": count,
                "steps_per_s_whole_games": whole,
                "steps_per_s_single_steps": best(runs, single_steps(settings, count, device)),
                "cores": cores,
                "steps_per_s_core": core,
                "steps_per_s_all_cores": everything,
                "ratio_core": round(whole / core, 2),
                "ratio_all_cores": round(whole / everything, 2),
            }
        )
    return results


def compare(kind: str) -> bool:
    """Run the tests that compare a device ("cuda" or "cpu") with the host; return whether they passed."""
    command = [sys.executable, "-P", "-m", "pytest", "-q", "-rs", "-p", "no:cacheprovider", "-k", kind, *_COMPARISONS]
    return subprocess.run(command, stdout=2, check=False).returncode == 0


def measure_search(settings: Config, architecture: str, count: int, device: Device, runs: int) -> dict[str, Any]:
    """Return the simulations per second of a search, and the evaluations per second of its network alone."""
    games = DeviceGames.new(settings, count, device=device)
    games.play_randomly(1, _MIDDLE)
    evaluate = TorchEvaluator(Network(architecture))
    search = DeviceSearch(settings, evaluate, device, count=count, simulations=_SIMULATIONS, considered=_SIMULATIONS)
    where, seeds = np.arange(count), np.arange(count, dtype=np.uint64)

    def searched(_: int) -> tuple[int, float]:
        begin = time.perf_counter()
        search.run(games.states, where, seeds)  # waits
        spent = time.perf_counter() - begin
        return int(search.result().visits.sum()), spent

    def alone(_: int) -> tuple[int, float]:
        device.wait()
        begin = time.perf_counter()
        for _ in range(_SIMULATIONS):
            network.think()
        if device.name != "cpu":
            torch.cuda.synchronize()
        return count * _SIMULATIONS, time.perf_counter() - begin

    network = evaluate.prepare(search.leaves)
    for warm in (searched, alone, searched, alone):
        warm(0)
    found, bare = best(runs, searched), best(runs, alone)
    return {
        "config": settings.name,
        "device": device.title,
        "architecture": architecture,
        "games": count,
        "simulations_per_s": found,
        "bare_evaluations_per_s": bare,
        "share": round(found / bare, 3),
    }


def show_search(results: list[dict[str, Any]]) -> None:
    for row in results:
        print(f"{row['config']}, search with {row['architecture']} in {row['games']:,} games:")
        rates = f"{row['simulations_per_s']:,} simulations/s", f"{row['bare_evaluations_per_s']:,} evaluations/s"
        print(f"{rates[0]}, {row['share']:.0%} of the bare network's {rates[1]}")


def show_work(played: list[dict[str, Any]], trained: list[dict[str, Any]]) -> None:
    for row in played:
        rates = f"{row['moves_per_s']:,} moves/s, {row['simulations_per_s']:,} simulations/s"
        print(f"{row['config']}, self-play with {row['architecture']} in {row['games']:,} games: {rates}")
    for row in trained:
        by_torch, by_kernels = f"{row['positions_per_s']:,}", f"{row['kernel_positions_per_s']:,}"
        print(f"{row['config']}, gradients of {row['architecture']} in {row['precision']}: {by_torch} positions/s,")
        print(f"{row['ratio']:.2f} times our kernels' {by_kernels} on one core")


def show(results: list[dict[str, Any]]) -> None:
    first = results[0]
    table = Table("configuration", "games", "whole games", "single steps", "one core", "all cores", "ratio to all")
    table.title = f"steps/s on {first['device']} and {first['cores']} cores"
    for column in table.columns[1:]:
        column.justify = "right"
    for row in results:
        speeds = ("whole_games", "single_steps", "core", "all_cores")
        shown = (f"{row[f'steps_per_s_{name}']:,}" for name in speeds)
        table.add_row(row["config"], f"{row['games']:,}", *shown, f"{row['ratio_all_cores']:,}")
    Console().print(table)


def main(argv: list[str]) -> int:
    arguments = parse(argv)
    try:
        device = Device(arguments.device)
    except DeviceError as error:
        print(f"bench gpu: {error}; --cpu runs it on the CPU, at small sizes", file=sys.stderr)
        return 2
    kind = device.name.partition(":")[0]
    if not arguments.untested and not compare(kind):
        print(f"bench gpu: {device.name} does not find what the CPU finds: nothing was measured", file=sys.stderr)
        return 1
    names = arguments.config or [made.name for made in CONFIGS.values() if made.players == 2]
    sizes = sorted(arguments.games or _SIZES[kind])
    results = [row for name in names for row in measure(config(name), sizes, device, arguments.runs)]
    searches = [
        measure_search(config(name), arguments.architecture, _SEARCHED[kind], device, arguments.runs) for name in names
    ]
    made = [config(name) for name in names]
    played = [measure_play(each, arguments.architecture, _SEARCHED[kind], device) for each in made]
    trained = [measure_gradients(each, arguments.architecture, device, arguments.runs) for each in made]
    if arguments.json:
        print(json.dumps({"results": results, "searches": searches, "played": played, "trained": trained}))
    else:
        show(results)
        show_search(searches)
        show_work(played, trained)
    return 0
