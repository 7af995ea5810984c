"""Measure the evaluations per second of an NNUE network with random weights, per second of processor time of one core.

An evaluation gives the logits of all players of a position. `incremental_per_s`: positions that follow each other in
random games, from records that are there already, so without the time of the rules; `refreshed_per_s`: the same ones,
each from nothing; `moves_per_s`: the positions after each legal move of such positions, for which the position is
copied and the move applied, so with the time of the rules. Each figure is the median of several runs.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from engine.backend.rows import HIDDEN
from engine.boards import board
from engine.config import CONFIGS, Config, config
from engine.games import Games
from engine.nnue import kernels
from engine.nnue.features import feature_count
from engine.nnue.network import Nnue
from engine.nnue.rating import rate_positions
from engine.players.nnue import rate_moves
from engine.rules import tables

_CONFIGS = ("hex8-2", "square8-2", "hex8-3", "hex8-4", "square19-2", "hexagonal-2")
_GOALS = {"hex8-2": 2_000_000, "square8-2": 2_000_000}
_PLIES = 2000  # positions along play
_PARENTS = 64  # positions of which every move is rated


def parse(argv: list[str]) -> argparse.Namespace:
    purpose = (__doc__ or "").split("\n")[0]
    parser = argparse.ArgumentParser(prog="scripts/bench nnue", description=purpose)
    parser.add_argument("--config", action="append", choices=list(CONFIGS), help=f"default: {', '.join(_CONFIGS)}")
    parser.add_argument("--width", type=int, default=64, help="units of the first layer, a multiple of 16 (64)")
    parser.add_argument("--runs", type=int, default=5, help="runs, of which the median counts (5)")
    parser.add_argument("--seconds", type=float, default=0.2, help="least time of each run (0.2)")
    parser.add_argument("--json", action="store_true", help="print one object for programs")
    return parser.parse_args(argv)


def make_network(board_name: str, width: int) -> Nnue:
    """Return a network with random weights, the same each time."""
    random = np.random.default_rng(0)
    most = 32767 // (len(board(board_name).cells) + 34)
    weights = random.integers(-most, most, (feature_count(board_name), width), endpoint=True).astype(np.int16)
    weights[0] = 0
    layers = random.normal(size=(width + 3, HIDDEN)).astype(np.float32)
    layers[:width] /= 4 * most
    return Nnue(board_name, 4 * most, weights, np.zeros(width, np.int16), layers)


def lines(settings: Config) -> tuple[Games, NDArray[np.int32]]:
    """Return positions that follow each other in random games, and where each game begins."""
    rows: list[NDArray[np.int16]] = []
    offsets = [0]
    while len(rows) < _PLIES:
        game = Games.new(settings, 1)
        while not game.over()[0]:
            rows.append(game.states)
            game = game.copy()
            game.play_randomly(seed=len(offsets), steps=1)
        rows.append(game.states)
        offsets.append(len(rows))
    return Games(settings, np.concatenate(rows)), np.array(offsets, np.int32)


def measure(settings: Config, width: int, runs: int, seconds: float) -> dict[str, Any]:
    """Measure all figures of one configuration."""
    nnue = make_network(settings.board, width)
    positions, offsets = lines(settings)
    sums = np.empty((len(offsets) - 1, settings.players * width), np.int16)
    logits = np.empty((len(positions), settings.players), np.float32)
    parents = positions.take(np.flatnonzero(~positions.over()))
    parents = parents.take(np.linspace(0, len(parents) - 1, _PARENTS).astype(np.int64))
    legal = parents.legal()
    owners = np.repeat(np.arange(len(parents), dtype=np.int32), np.diff(legal.offsets))
    of_parents = rate_positions(nnue, parents).sums

    def follow() -> int:
        arguments = (tables(settings), positions.states, offsets, *nnue.arrays, sums, logits)
        positions.executor.launch(kernels.rate_games, len(offsets) - 1, *arguments)
        return len(positions)

    def refresh() -> int:
        return len(rate_positions(nnue, positions).logits)

    def move() -> int:
        return len(rate_moves(nnue, parents, of_parents, owners, legal.moves))

    works = {"incremental_per_s": follow, "refreshed_per_s": refresh, "moves_per_s": move}
    rates = {name: statistics.median(_rate(work, seconds) for _ in range(runs)) for name, work in works.items()}
    goal = _GOALS.get(settings.name)
    return {
        "config": settings.name,
        "width": width,
        **{name: round(rate) for name, rate in rates.items()},
        "goal": goal,
        "goal_met": goal is None or rates["incremental_per_s"] >= goal,
    }


def _rate(work: Callable[[], int], seconds: float) -> float:
    work()
    done, begin = 0, time.process_time()
    while (spent := time.process_time() - begin) < seconds or done == 0:
        done += work()
    return done / spent


def show(results: list[dict[str, Any]]) -> None:
    table = Table("configuration", "width", "incremental/s", "refreshed/s", "after moves, with the rules/s", "goal")
    for row in results:
        goal = "" if row["goal"] is None else f"{row['goal']:,} {'met' if row['goal_met'] else 'MISSED'}"
        rates = (f"{row[name]:,}" for name in ("incremental_per_s", "refreshed_per_s", "moves_per_s"))
        table.add_row(row["config"], str(row["width"]), *rates, goal)
    Console(highlight=False).print(table)


def main(argv: list[str]) -> int:
    given = parse(argv)
    results = [measure(config(name), given.width, given.runs, given.seconds) for name in given.config or _CONFIGS]
    if given.json:
        print(json.dumps({"results": results}))
    else:
        show(results)
    return 0
