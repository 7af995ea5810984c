"""Files of games as others may write them, shown to a person: read, played again, and written as JSON."""

import hashlib
import json
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from node.play.recorded import read_recorded, record_info
from tests.fuzz import shards
from tests.node.play.games import random_game, write_shard_of
from training.match import MatchGame, write_games

_PLIES = 24


@cache
def samples() -> list[bytes]:
    """Self-play of two short games, and a match of two."""
    games = [random_game(shards.GAME.name, seed, plies=_PLIES) for seed in (1, 2)]
    played = [
        MatchGame((0, bytes(32)), place, 2, np.array(game.moves, np.int64), 0) for place, game in enumerate(games)
    ]
    with TemporaryDirectory() as folder:
        stored = [write_shard_of(Path(folder), games), write_games(Path(folder), shards.GAME, played)]
        return [each.path.read_bytes() for each in stored]


def check(data: bytes) -> None:
    """Raise DataError or IllegalMoveError unless the first game can be shown whole."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "games"
        path.write_bytes(data)
        recorded = read_recorded(path, hashlib.sha256(data).hexdigest(), "match", 1)
    shown = record_info(recorded)
    assert len(shown["steps"]) == len(recorded.moves) + 1
    assert json.loads(json.dumps(shown, allow_nan=False)) == shown
