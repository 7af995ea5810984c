"""Replay recorded games of the reference implementation through the engine, and report mismatches."""

from __future__ import annotations

import argparse
import os
import sys
from collections import defaultdict, deque
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import islice
from multiprocessing import get_context
from pathlib import Path

from rich.console import Console
from rich.table import Table

from engine.backend.dialect import PLAIN
from engine.config import CONFIGS
from engine.reference_games import (
    Mismatch,
    Outcome,
    Recorded,
    RecordedGamesError,
    check_games,
    configuration_of,
    read_games,
)

_BATCH = 16  # games replayed together: few enough to keep all cores busy to the end


@dataclass
class Tally:
    """The counts of one configuration."""

    games: int = 0
    swaps: int = 0  # the games among them with the pie rule
    steps: int = 0
    mismatches: int = 0


def parse(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/parity", description=__doc__)
    parser.add_argument("paths", nargs="+", type=Path, metavar="DIR", help="directories or *.jsonl.gz files")
    parser.add_argument("--config", action="append", choices=list(CONFIGS), help="only this configuration")
    parser.add_argument("--limit", type=int, metavar="N", help="at most N games of each file")
    parser.add_argument("--plain", action="store_true", help="run the rules as plain Python, not compiled")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), metavar="N", help="processes")
    return parser.parse_args(argv)


def find_files(paths: Iterable[Path]) -> list[Path]:
    """Return the files among the paths, and the files in the directories among them.

    Raises:
        RecordedGamesError: a path has no recorded games.
    """
    files: list[Path] = []
    for path in paths:
        found = sorted(path.glob("*.jsonl.gz")) if path.is_dir() else [path] if path.is_file() else []
        if not found:
            raise RecordedGamesError(f"{path}: no recorded games here (*.jsonl.gz); name their directory")
        files += found
    return files


def batches(files: Iterable[Path], wanted: list[str] | None, limit: int | None) -> Iterator[list[Recorded]]:
    """Yield the games of all files in batches, each of one configuration."""
    for path in files:
        pending: dict[str, list[Recorded]] = defaultdict(list)
        for game in islice(read_games(path), limit):
            name = configuration_of(game)
            if wanted and name not in wanted:
                continue
            pending[name].append(game)
            if len(pending[name]) == _BATCH:
                yield pending.pop(name)
        yield from pending.values()


def check(games: list[Recorded], plain: bool) -> tuple[str, int, int, Outcome]:
    """Return the configuration's name, the number of games and of those with the pie rule, and the outcome."""
    swaps = sum(bool(game["swap"]) for game in games)
    return configuration_of(games[0]), len(games), swaps, check_games(games, PLAIN if plain else None)


def check_all(found: Iterator[list[Recorded]], plain: bool, jobs: int) -> Iterator[tuple[str, int, int, Outcome]]:
    """Check all batches in several processes, holding only a few batches in memory."""
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        running = deque(pool.submit(check, games, plain) for games in islice(found, 4 * jobs))
        while running:
            yield running.popleft().result()
            running.extend(pool.submit(check, games, plain) for games in islice(found, 1))


def show(console: Console, tallies: dict[str, Tally], first: Mismatch | None) -> None:
    table = Table("configuration", "games", "with the pie rule", "steps", "mismatches")
    for column in table.columns[1:]:
        column.justify = "right"
    for name in CONFIGS:
        if name in tallies:
            tally = tallies[name]
            table.add_row(name, f"{tally.games:,}", f"{tally.swaps:,}", f"{tally.steps:,}", f"{tally.mismatches:,}")
    console.print(table)
    if first is not None:
        console.print(f"\nfirst mismatch: game {first.game}, step {first.step}: {first.what}", highlight=False)
        console.print(f"ours:     {first.ours}\nrecorded: {first.recorded}", highlight=False, soft_wrap=True)
        console.print(f"position:\n{first.position}", highlight=False)


def main(argv: list[str] | None = None) -> int:
    arguments = parse(argv)
    tallies: dict[str, Tally] = {}
    first: Mismatch | None = None
    try:
        found = batches(find_files(arguments.paths), arguments.config, arguments.limit)
        for name, games, swaps, outcome in check_all(found, arguments.plain, arguments.jobs):
            tally = tallies.setdefault(name, Tally())
            tally.games += games
            tally.swaps += swaps
            tally.steps += outcome.steps
            tally.mismatches += len(outcome.mismatches)
            first = first or next(iter(outcome.mismatches), None)
    except RecordedGamesError as error:
        print(f"parity: {error}", file=sys.stderr)
        return 2
    if not tallies:
        print("parity: no game of the wanted configurations was found", file=sys.stderr)
        return 2
    show(Console(), tallies, first)
    return 1 if first is not None else 0


if __name__ == "__main__":
    sys.exit(main())
