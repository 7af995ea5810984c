"""Positions of recorded games, for tests that want more than random play meets."""

from functools import cache
from pathlib import Path

import numpy as np

from engine.config import Config
from engine.games import Games
from engine.reference_games import moves_of, read_games

DATA = Path(__file__).parent.parent / "data"


@cache
def recorded_positions(config: Config, games: int, stride: int) -> Games:
    """Every `stride`-th position of the shortest `games` recorded games of a configuration."""
    recorded = sorted(read_games(DATA / "parity" / f"{config.name}.jsonl.gz"), key=lambda game: game["nsteps"])
    rows = []
    for game in recorded[:games]:
        board = Games.new(config, 1, swap=game["swap"])
        for place, move in enumerate(moves_of(game)):
            if place % stride == 0:
                rows.append(board.states[0].copy())
            board.apply([move], check=False)
    return Games(config, np.array(rows))
