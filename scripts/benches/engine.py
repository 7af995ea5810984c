"""Measures the rules: random play compiled and as plain Python, on one core, and compilation."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

import engine
from engine.backend import PLAIN, Executor
from engine.compiled import cpu
from engine.config import CONFIGS, Config, config

_ROOT = Path(__file__).parent.parent.parent
_WARM = "import engine; engine.warm()"
_BATCH = 64  # games played together


def parse(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/bench engine", description=__doc__)
    parser.add_argument("--config", action="append", choices=list(CONFIGS), help="only this configuration")
    parser.add_argument("--seconds", type=float, default=2.0, help="time for each measurement")
    parser.add_argument("--json", action="store_true", help="print one object for programs")
    return parser.parse_args(argv)


def steps_per_second(settings: Config, executor: Executor, seconds: float) -> float:
    """Random steps per second of processor time, over whole games from the first position to the end."""
    from engine.games import Games

    batch = _BATCH if executor is not PLAIN else 1
    played, spent, seed = 0, 0.0, 0
    while spent < seconds:
        games = Games.new(settings, batch, executor=executor)
        begin = time.process_time()
        played += int(games.play_randomly(seed, 2**31 - 1).sum())
        spent += time.process_time() - begin
        seed += 1
    return played / spent


def start_times() -> tuple[float, float]:
    """Seconds of wall time to compile all kernels with an empty cache, and to load them from a full one."""
    with tempfile.TemporaryDirectory() as directory:
        environment = {**os.environ, "RINGRIFT_KERNEL_CACHE": directory, "PYTHONPATH": str(_ROOT)}
        times = []
        for _ in range(2):
            begin = time.perf_counter()
            subprocess.run([sys.executable, "-c", _WARM], env=environment, check=True)
            times.append(time.perf_counter() - begin)
    return times[0], times[1]


def measure(settings: Config, seconds: float) -> dict[str, Any]:
    compiled = steps_per_second(settings, cpu(), seconds)
    plain = steps_per_second(settings, PLAIN, seconds)
    return {
        "config": settings.name,
        "steps_per_s_core": round(compiled),
        "steps_per_s_plain_python": round(plain),
        "ratio_plain_python": round(compiled / plain, 1),
    }


def show(results: list[dict[str, Any]]) -> None:
    table = Table("configuration", "steps/s, one core", "plain Python", "ratio")
    for column in table.columns[1:]:
        column.justify = "right"
    for row in results:
        speeds = f"{row['steps_per_s_core']:,}", f"{row['steps_per_s_plain_python']:,}"
        table.add_row(row["config"], *speeds, f"{row['ratio_plain_python']:,}")
    console = Console()
    console.print(table)
    first = results[0]
    console.print(
        f"all kernels: {first['cold_compile_s']} s to compile, {first['warm_start_s']} s from the cache",
        highlight=False,
    )


def main(argv: list[str]) -> int:
    arguments = parse(argv)
    cold, warm = start_times()
    engine.warm()
    results = [
        measure(config(name), arguments.seconds)
        | {"cold_compile_s": round(cold, 1), "warm_start_s": round(warm, 1)}
        for name in arguments.config or CONFIGS
    ]
    if arguments.json:
        print(json.dumps({"results": results}))
    else:
        show(results)
    return 0
