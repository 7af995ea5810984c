"""Count legal sequences from the start and from recorded positions, and compare them with the committed counts.

The table, tests/data/perft.json, holds the numbers of legal sequences of 1, 2, 3 ... moves: by configuration,
recorded game ("start" for the first position) and number of moves played in that game.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from engine.config import CONFIGS, config
from engine.games import Games
from engine.perft import count_sequences
from engine.reference_games import Recorded, moves_of, read_games

DATA = Path(__file__).parent.parent / "tests" / "data"
TABLE = DATA / "perft.json"
POSITIONS = 20  # recorded positions of each configuration
GAMES = 4  # the shortest games, from which the positions are taken
ENOUGH = 300_000  # a list of counts ends with the first count above this ...
DEEPEST = 12  # ... or at this depth

Counts = dict[str, dict[str, list[int]]]  # by game and number of moves


@dataclass(frozen=True)
class Outcome:
    """The result of checking one configuration: positions, sequences counted, and a line for each difference."""

    positions: int
    sequences: int
    differences: tuple[str, ...]


def recorded_games(name: str) -> dict[str, Recorded]:
    """Return the shortest recorded games of a configuration, by id."""
    games = sorted(read_games(DATA / "parity" / f"{name}.jsonl.gz"), key=lambda game: int(game["nsteps"]))
    return {game["id"]: game for game in games[:GAMES]}


def positions(name: str, steps: dict[str, list[int]]) -> Iterator[tuple[str, int, Games]]:
    """Yield game, number of moves and position of each entry."""
    games = recorded_games(name)
    for game, wanted in steps.items():
        if game == "start":
            yield game, 0, Games.new(config(name), 1)
            continue
        moves = moves_of(games[game], max(wanted))
        at = Games.new(config(name), 1, swap=games[game]["swap"])
        done = 0
        for step in sorted(wanted):
            at.replay([0, step - done], moves[done:step])
            done = step
            yield game, step, at.copy()


def check(name: str, listed: Counts, limit: int) -> Outcome:
    """Count again, at each position to the greatest depth for which the table has at most `limit` sequences.

    Positions of one depth are counted together.
    """
    found = list(positions(name, {game: [int(step) for step in steps] for game, steps in listed.items()}))
    expected = [listed[game][str(step)] for game, step, _ in found]
    depths = [next((d for d, count in enumerate(counts) if count > limit), len(counts)) or 1 for counts in expected]
    differences = []
    for depth in sorted(set(depths)):
        chosen = [place for place, each in enumerate(depths) if each == depth]
        batch = Games(config(name), np.concatenate([found[place][2].states for place in chosen]))
        for place, count in zip(chosen, count_sequences(batch, depth).tolist(), strict=True):
            wanted = expected[place][depth - 1]
            if count != wanted:
                game, step, _ = found[place]
                differences.append(f"{name}, {game} after {step} moves: {count} sequences of {depth}, not {wanted}")
    sequences = sum(counts[depth - 1] for counts, depth in zip(expected, depths, strict=True))
    return Outcome(len(found), sequences, tuple(differences))


def choose_steps(name: str) -> dict[str, list[int]]:
    """Choose the positions to count from: one for each kind of move in the games, the others evenly spread."""
    games = recorded_games(name)
    steps = [(game, place) for game, each in games.items() for place in range(len(each["steps"]))]
    first: dict[str, tuple[str, int]] = {}
    for game, place in steps:
        words = games[game]["steps"][place][4].split()
        first.setdefault(words[0] + (words[3] if words[0] == "RS" else ""), (game, place))
    spread = (steps[len(steps) * place // POSITIONS] for place in range(POSITIONS))
    chosen = dict.fromkeys((*first.values(), *spread))
    kept: dict[str, list[int]] = {"start": [0]}
    for game, place in islice(chosen, POSITIONS):
        kept.setdefault(game, []).append(place)
    return kept


def count(games: Games) -> list[int]:
    """Return the numbers of sequences of 1, 2, 3 ... moves from a position."""
    counts: list[int] = []
    while len(counts) < DEEPEST and (not counts or 0 < counts[-1] <= ENOUGH):
        counts.append(int(count_sequences(games, len(counts) + 1)[0]))
    return counts


def write() -> None:
    table: dict[str, Counts] = {}
    for name in CONFIGS:
        for game, step, games in positions(name, choose_steps(name)):
            table.setdefault(name, {}).setdefault(game, {})[str(step)] = count(games)
    TABLE.write_text(_text(table))


def _text(table: dict[str, Counts]) -> str:
    """Return the table as JSON, with one position a line."""
    configurations = []
    for name, games in table.items():
        listed = []
        for game, steps in games.items():
            lines = ",\n".join(f"   {json.dumps(step)}: {json.dumps(counts)}" for step, counts in steps.items())
            listed.append(f"  {json.dumps(game)}: {{\n{lines}\n  }}")
        configurations.append(f" {json.dumps(name)}: {{\n" + ",\n".join(listed) + "\n }")
    return "{\n" + ",\n".join(configurations) + "\n}\n"


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="scripts/perft", description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--config", action="append", choices=list(CONFIGS), help="only this configuration")
    parser.add_argument("--limit", type=int, default=sys.maxsize, metavar="N", help="only counts of at most N")
    parser.add_argument("--write", action="store_true", help="write the table anew instead of checking it")
    arguments = parser.parse_args(argv)
    if arguments.write:
        write()
        return 0
    listed = json.loads(TABLE.read_text())
    shown = Table("configuration", "positions", "sequences", "seconds", "differences")
    for column in shown.columns[1:]:
        column.justify = "right"
    differences: list[str] = []
    for name in arguments.config or listed:
        began = time.perf_counter()
        outcome = check(name, listed[name], arguments.limit)
        seconds = time.perf_counter() - began
        differences += outcome.differences
        shown.add_row(
            name, f"{outcome.positions}", f"{outcome.sequences:,}", f"{seconds:.1f}", f"{len(outcome.differences)}"
        )
    Console().print(shown)
    print("\n".join(differences), end="\n" if differences else "")
    return 1 if differences else 0


if __name__ == "__main__":
    sys.exit(main())
