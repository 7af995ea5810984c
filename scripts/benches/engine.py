"""Measure the rules: random play, legal moves, moves, copies, memory, compilation; compiled and as plain Python.

Figures for one core are per second of processor time, so that a busy machine disturbs them little; figures for all
cores and for starting are wall time. Each is the median of several runs; spread = (highest - lowest) / median.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich import box
from rich.console import Console
from rich.table import Table

import engine
from engine import kernels
from engine.backend.cpu import cpu
from engine.backend.dialect import PLAIN, Executor, Lanes
from engine.config import CONFIGS, Config, config
from engine.games import Games
from engine.rules import move_bound, scratch_width, state_width, tables

_ROOT = Path(__file__).parent.parent.parent
_WARM = "import engine; engine.warm()"
_REFERENCE = {"square8": 1000, "hex8": 1000, "square19": 364, "hexagonal": 156}  # steps/s, one core, as recorded
_GOALS = {"hex8-2": 1_000_000, "square8-2": 1_000_000, "square19-2": 300_000, "hexagonal-2": 150_000}
_STARTS = {
    "cold_compile_s": ("all kernels ready, with an empty cache", 30),
    "warm_start_s": ("all kernels ready, with a full cache", 2),
}
_SAMPLE = 512  # positions
_LISTS = 65_536  # moves whose lists fit the processor's cache
_EVERY = 7  # steps between two positions of the sample
_PHASES = "PMCHLTF"
_FOREVER = 2**31 - 1
Row = dict[str, Any]


def parse(argv: list[str]) -> argparse.Namespace:
    purpose = (__doc__ or "").split("\n")[0]
    parser = argparse.ArgumentParser(prog="scripts/bench engine", description=purpose)
    parser.add_argument("--config", action="append", choices=list(CONFIGS), help="only this configuration")
    parser.add_argument("--runs", type=int, default=5, help="runs, of which the median counts (5)")
    parser.add_argument("--seconds", type=float, default=0.2, help="time for each run (0.2)")
    parser.add_argument("--no-start", action="store_true", help="do not measure compilation and start")
    parser.add_argument("--markdown", action="store_true", help="print the tables as Markdown")
    parser.add_argument("--json", action="store_true", help="print one object for programs")
    return parser.parse_args(argv)


@dataclass(frozen=True)
class Work:
    """A piece of work to measure: `run` returns its number of units; `before` precedes each run and does not count."""

    run: Callable[[], int]
    before: Callable[[], object] = lambda: None


@dataclass(frozen=True)
class Bench:
    """The number of runs of each measurement, and the seconds of each run."""

    runs: int
    seconds: float

    def rate(self, work: Work, clock: Callable[[], float] = time.process_time) -> Row:
        """Return the units per second: median and spread."""
        rates = [self._run(work, clock) for _ in range(self.runs)]
        middle = statistics.median(rates)
        return {"median": float(f"{middle:.4g}"), "spread": round((max(rates) - min(rates)) / middle, 3)}

    def _run(self, work: Work, clock: Callable[[], float]) -> float:
        done, spent = 0, 0.0
        while spent < self.seconds or done == 0:
            work.before()
            begin = clock()
            done += work.run()
            spent += clock() - begin
        return done / spent


def random_play(settings: Config, executor: Executor, batch: int) -> Work:
    """Play whole games with a new seed each time; a unit is a step."""
    seeds = iter(range(_FOREVER))
    return Work(lambda: int(Games.new(settings, batch, executor=executor).play_randomly(next(seeds), _FOREVER).sum()))


def sample(settings: Config) -> Games:
    """Return the same positions of random games each time, in random order and as frequent as in games."""
    games, seen = Games.new(settings, 32), []
    while not games.over().all():
        seen.append(games.states[~games.over()])
        games.play_randomly(seed=0, steps=_EVERY)
    rows = np.concatenate(seen)
    return Games(settings, rows[np.random.default_rng(0).permutation(len(rows))[:_SAMPLE]])


def enumeration(games: Games) -> Work:
    """List the legal moves of all games, in blocks whose lists fit the processor's cache; a unit is a position."""
    most = int(np.diff(games.legal().offsets).max())
    block = max(1, min(len(games), _LISTS // most))
    found, counts = np.empty((block, most), np.int64), np.empty(block, np.int32)
    blocks = [np.ascontiguousarray(games.states[at : at + block]) for at in range(0, len(games), block)]
    table, scratch = tables(games.config), Lanes(scratch_width(games.config), np.int32)

    def run() -> int:
        for states in blocks:
            games.executor.launch(kernels.find_legal, len(states), table, states, scratch, found, counts)
        return len(games)

    return Work(run)


def moving(games: Games) -> Work:
    """Apply a random legal move to every game; a unit is a move."""
    legal = games.legal()
    counts = np.diff(legal.offsets)
    moves = legal.moves[legal.offsets[:-1] + (np.random.default_rng(1).random(len(games)) * counts).astype(np.int32)]
    now = games.copy()

    def run() -> int:
        now.apply(moves, check=False)
        return len(now)

    return Work(run, lambda: np.copyto(now.states, games.states))


def copying(games: Games, times: int) -> Work:
    """Copy the whole batch; a unit is a game."""

    def run() -> int:
        for _ in range(times):
            games.copy()
        return times * len(games)

    return Work(run)


def calling(game: Games) -> Work:
    """List the legal moves of a single game and apply one, called from Python; a unit is both calls."""
    moves, first = game.legal().moves[:1], game.states.copy()

    def run() -> int:
        for _ in range(100):
            game.legal()
            game.apply(moves, check=False)
            game.states[:] = first
        return 100

    return Work(run)


def measure_parts(bench: Bench, settings: Config) -> Row:
    """Measure legal moves alone, moves alone, copies and calls."""
    positions = sample(settings)
    few, one = Games(settings, positions.states[:24], PLAIN), positions.take([0])
    return {
        "legal_per_s": bench.rate(enumeration(positions)),
        "legal_per_s_plain_python": bench.rate(enumeration(few)),
        "moves_per_position": round(len(positions.legal().moves) / len(positions), 1),
        "apply_per_s": bench.rate(moving(positions)),
        "apply_per_s_plain_python": bench.rate(moving(few)),
        "copy_per_s_alone": bench.rate(copying(one, 1000)),
        "copy_per_s_in_batch": bench.rate(copying(positions, 1)),
        "call_per_s": bench.rate(calling(one)),
        "phases": measure_phases(bench, positions),
    }


def measure_phases(bench: Bench, positions: Games) -> dict[str, dict[str, float]]:
    """Measure for each phase its share of all positions, and the times for legal moves and for a move in it."""
    short = Bench(bench.runs, bench.seconds / 8)
    phases = {}
    for number, letter in enumerate(_PHASES):
        here = np.flatnonzero(positions.phase() == number)
        if here.size:
            games = positions.take(np.resize(here, _SAMPLE))
            legal, apply = (short.rate(work)["median"] for work in (enumeration(games), moving(games)))
            part = here.size / len(positions)
            phases[letter] = {"part": round(part, 3), "legal_ns": round(1e9 / legal), "apply_ns": round(1e9 / apply)}
    return phases


def measure(bench: Bench, settings: Config) -> Row:
    """Measure all figures of one configuration."""
    small = settings.rings < 72
    cores = len(os.sched_getaffinity(0))
    crowd = cores * (256 if small else 32)
    goal = _GOALS.get(settings.name)
    one = bench.rate(random_play(settings, cpu(), 64 if small else 16))
    return {
        "config": settings.name,
        "cores": cores,
        "steps_per_s_core": one,
        "steps_per_s_all_cores": bench.rate(random_play(settings, cpu(cores), crowd), time.perf_counter),
        "steps_per_s_plain_python": bench.rate(random_play(settings, PLAIN, 1)),
        "steps_per_s_reference": _REFERENCE[settings.board],
        "goal": goal,
        "goal_met": goal is None or one["median"] >= goal,
        "state_bytes": 2 * state_width(settings),
        "scratch_bytes": 4 * scratch_width(settings),
        "list_bytes": 8 * move_bound(settings),
        **measure_parts(bench, settings),
    }


def start_times() -> Row:
    """Measure the wall time until all kernels of a new process are ready: with an empty cache, with a full one."""
    with tempfile.TemporaryDirectory() as directory:
        environment = {**os.environ, "RINGRIFT_KERNEL_CACHE": directory, "PYTHONPATH": str(_ROOT)}
        times = []
        for _ in range(2):
            begin = time.perf_counter()
            subprocess.run([sys.executable, "-P", "-c", _WARM], env=environment, check=True)
            times.append(round(time.perf_counter() - begin, 2))
    start: Row = dict(zip(_STARTS, times, strict=True))
    return start | {f"{name}_met": start[name] < goal for name, (_, goal) in _STARTS.items()}


def _speed(row: Row) -> tuple[str, ...]:
    core, plain = row["steps_per_s_core"], row["steps_per_s_plain_python"]["median"]
    goal = "" if row["goal"] is None else f"{row['goal']:,} {'met' if row['goal_met'] else 'MISSED'}"
    ratio, reference = core["median"] / plain, core["median"] / row["steps_per_s_reference"]
    cores = row["steps_per_s_all_cores"]
    speeds = (
        f"{core['median']:,.0f}",
        f"{core['spread']:.0%}",
        goal,
        f"{cores['median']:,.0f}",
        f"{cores['spread']:.0%}",
    )
    return *speeds, f"{plain:,.0f}", f"{ratio:,.0f}", f"{row['steps_per_s_reference']:,}", f"{reference:,.0f}"


def _parts(row: Row) -> tuple[str, ...]:
    legal, apply = row["legal_per_s"]["median"], row["apply_per_s"]["median"]
    ratios = legal / row["legal_per_s_plain_python"]["median"], apply / row["apply_per_s_plain_python"]["median"]
    moves, call = legal * row["moves_per_position"], 1e6 / row["call_per_s"]["median"]
    return f"{legal:,.0f}", f"{moves:,.0f}", f"{ratios[0]:,.0f}", f"{apply:,.0f}", f"{ratios[1]:,.0f}", f"{call:.1f}"


def _memory(row: Row) -> tuple[str, ...]:
    copies = (f"{1e9 / row[name]['median']:,.0f}" for name in ("copy_per_s_alone", "copy_per_s_in_batch"))
    sizes = (f"{row[f'{name}_bytes']:,}" for name in ("state", "scratch", "list"))
    return *copies, *sizes


def _phases(row: Row) -> tuple[str, ...]:
    phases: dict[str, dict[str, float]] = row["phases"]
    total = sum(p["part"] * (p["legal_ns"] + p["apply_ns"]) for p in phases.values())
    shares = {k: p["part"] * (p["legal_ns"] + p["apply_ns"]) / total for k, p in phases.items()}
    cells = {k: f"{shares[k]:.0%}: {p['part']:.0%} x ({p['legal_ns']} + {p['apply_ns']})" for k, p in phases.items()}
    return tuple(cells.get(letter, "") for letter in _PHASES)


_TABLES = {
    "steps/s|spread|goal|all cores|spread|plain Python|times|reference|times": _speed,
    "legal moves: positions/s|moves/s|times plain|moves applied/s|times plain|call for one game, µs": _parts,
    "a copy alone, ns|in a batch, ns|state, bytes|scratch of a thread|moves of a thread": _memory,
    "|".join(f"phase {letter}: time: positions x (legal + apply ns)" for letter in _PHASES): _phases,
}


def show(results: list[Row], start: Row, markdown: bool) -> None:
    console = Console(width=240, highlight=False) if markdown else Console(highlight=False)
    for heads, cells in _TABLES.items():
        table = Table("configuration", *heads.split("|"), box=box.MARKDOWN if markdown else box.HEAVY_HEAD)
        for column in table.columns[1:]:
            column.justify = "right"
        for row in results:
            table.add_row(row["config"], *cells(row))
        console.print(table)
    for name, (what, goal) in _STARTS.items():
        if start:
            console.print(f"{what}: {start[name]} s, goal {goal} s: {'met' if start[f'{name}_met'] else 'MISSED'}")


def main(argv: list[str]) -> int:
    arguments = parse(argv)
    start = {} if arguments.no_start else start_times()
    engine.warm()
    bench = Bench(arguments.runs, arguments.seconds)
    results = [measure(bench, config(name)) for name in arguments.config or CONFIGS]
    if arguments.json:
        print(json.dumps({"results": results, "start": start}))
    else:
        show(results, start, arguments.markdown)
    return 0
