"""Measure random play on a GPU at several batch sizes, and on one core and all cores of the same machine.

Figures are per second of wall time, the best of several runs. Compilation does not count.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable
from typing import Any

from rich.console import Console
from rich.table import Table

from engine.backend.cpu import cpu
from engine.backend.cuda import Device, DeviceError
from engine.config import CONFIGS, Config, config
from engine.device_games import DeviceGames
from engine.games import Games

_FOREVER = 2**31 - 1
_MIDDLE = 40  # steps before single ones are measured, so that games are in many phases
_SINGLE = 32


def parse(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/bench gpu", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--config", action="append", choices=list(CONFIGS), help="default: the four for 2 players")
    parser.add_argument("--games", action="append", type=int, help="batch size; default: 1024, 4096, 16384, 65536")
    parser.add_argument("--runs", type=int, default=3, help="runs, of which the best counts (3)")
    parser.add_argument(
        "--device", default="cuda", help="cuda, cuda:1 ...; cpu runs the same code on Warp's CPU device"
    )
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
        print(f"bench gpu: {error}", file=sys.stderr)
        return 2
    names = arguments.config or [made.name for made in CONFIGS.values() if made.players == 2]
    sizes = sorted(arguments.games or [1024, 4096, 16384, 65536])
    results = [row for name in names for row in measure(config(name), sizes, device, arguments.runs)]
    if arguments.json:
        print(json.dumps({"results": results}))
    else:
        show(results)
    return 0
