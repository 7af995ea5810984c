"""Train an NNUE network from games, write it to a directory, and measure it on games that it has not seen."""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.table import Table

from engine.config import CONFIGS, config
from engine.nnue.network import save_nnue
from engine.search import Evaluate
from training.arrays import DataError
from training.evaluate import NetworkEvaluator
from training.experience import Experience
from training.model import load_model
from training.nnue.distil import DistilSettings, distil
from training.nnue.foresight import Foresight, foresee
from training.nnue.games import play_games
from training.nnue.samples import TargetShares
from training.progress import ignore_progress
from training.replay import Verified, load_shard, replay_games
from training.seeds import derive_seed
from training.shard import read_shard
from training.tournament import make_player

_DEFAULTS = DistilSettings()
_EPILOG = """\
The games begin with up to 24 random plies, and one later move in ten is random. One game in 16 is held out, to measure
the network on it. Without --shards and --config the games are of hex8-2. Equal arguments give equal
bytes on one kind of processor. docs/learning.md says what the figures mean.
"""


def parse(argv: Sequence[str]) -> argparse.Namespace:
    purpose = (__doc__ or "").split("\n")[0]
    parser = argparse.ArgumentParser(prog="scripts/distil", description=purpose, epilog=_EPILOG)
    parser.add_argument("directory", type=Path, help="where the network is written")
    parser.add_argument(
        "--config", action="append", choices=list(CONFIGS), help="configuration of the games to play; repeatable"
    )
    parser.add_argument("--games", type=int, default=6000, help="games for each configuration and player (6000)")
    parser.add_argument(
        "--players", nargs="+", default=["heuristic"], metavar="PLAYER",
        help="who plays them, each against itself; names as in the arena (heuristic)",
    )  # fmt: skip
    parser.add_argument("--shards", nargs="+", type=Path, default=[], metavar="FILE", help="files of self-play games")
    parser.add_argument("--teacher", type=Path, metavar="DIR", help="a model whose values are part of the targets")
    parser.add_argument("--search-share", type=float, default=_DEFAULTS.targets.search, help="default: %(default)s")
    parser.add_argument("--teacher-share", type=float, default=_DEFAULTS.targets.teacher, help="default: %(default)s")
    parser.add_argument("--width", type=int, default=_DEFAULTS.width, help="units of the first layer (%(default)s)")
    parser.add_argument("--steps", type=int, default=_DEFAULTS.steps, help="training steps (%(default)s)")
    parser.add_argument("--seed", default="distil", metavar="TEXT", help="what all chance comes from (distil)")
    parser.add_argument("--json", action="store_true", help="print one object for programs")
    return parser.parse_args(argv)


def play(name: str, players: Sequence[str], games: int, seed: bytes) -> list[Verified]:
    """Return games of each player against itself. Raise PlayerError if there is no such player."""
    shards = [
        play_games(config(name), make_player(player), seed=derive_seed(seed, "games", place), games=games)
        for place, player in enumerate(players)
    ]
    return [
        Verified(shard, replay_games(config(name), shard.moves, shard.lengths, ignore_progress)) for shard in shards
    ]


def read_games(paths: Sequence[Path]) -> list[Verified]:
    """Return the games of shards. Raise DataError if a file is not one."""
    return [load_shard(path, config(read_shard(path).config), ignore_progress) for path in paths]


def join(sources: Sequence[Verified]) -> dict[str, Experience]:
    """Return the games by configuration."""
    found: defaultdict[str, list[Verified]] = defaultdict(list)
    for source in sources:
        found[source.shard.config].append(source)
    return {name: Experience(config(name), parts) for name, parts in found.items()}


def load_teacher(directory: Path | None) -> Evaluate | None:
    """Return the model of a directory, or None for None. Raise DataError if there is none."""
    return None if directory is None else NetworkEvaluator(load_model(directory))


def show(results: Mapping[str, Foresight]) -> None:
    """Print a row for each quarter of the games of each configuration."""
    table = Table("configuration", "quarter", "positions", "log loss", "of a constant", "correlation")
    for name, found in results.items():
        figures = zip(found.positions, found.log_loss, found.constant, found.correlation, strict=True)
        for quarter, (positions, *others) in enumerate(figures, 1):
            table.add_row(name, str(quarter), f"{positions:,}", *(f"{value:.3f}" for value in others))
    Console(highlight=False).print(table)


def run(given: argparse.Namespace) -> dict[str, Any]:
    """Train, write and measure; return the figures. Raise ValueError for a mistake in the arguments."""
    torch.set_num_threads(1)
    seed = hashlib.sha256(given.seed.encode()).digest()
    names = given.config or ([] if given.shards else ["hex8-2"])
    played = [games for name in names for games in play(name, given.players, given.games, seed)]
    experiences = join([*played, *read_games(given.shards)])
    settings = DistilSettings(
        width=given.width, steps=given.steps, targets=TargetShares(given.search_share, given.teacher_share)
    )
    nnue = distil(list(experiences.values()), seed=seed, settings=settings, teacher=load_teacher(given.teacher))
    save_nnue(given.directory, nnue)
    foresight = {name: found for name, games in experiences.items() if (found := foresee(nnue, games)) is not None}
    return {"board": nnue.board, "width": nnue.width, "top": nnue.top, "foresight": foresight}


def main(argv: Sequence[str]) -> int:
    given = parse(argv)
    try:
        result = run(given)
    except (DataError, ValueError) as error:
        print(f"distil: {error}", file=sys.stderr)
        return 2
    if given.json:
        print(json.dumps(result | {"foresight": {name: asdict(f) for name, f in result["foresight"].items()}}))
    else:
        show(result["foresight"])
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
