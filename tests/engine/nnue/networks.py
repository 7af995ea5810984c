"""Networks with random weights, and positions along random play."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine.backend.rows import HIDDEN
from engine.boards import board
from engine.config import Config
from engine.games import Games
from engine.nnue.features import feature_count
from engine.nnue.network import Nnue


def random_nnue(board_name: str, width: int = 32, seed: int = 1) -> Nnue:
    """Return a network whose sums stay in range, if only just, whatever the position."""
    random = np.random.default_rng(seed)
    most = 32767 // (len(board(board_name).cells) + 34)
    weights = random.integers(-most, most, (feature_count(board_name), width), endpoint=True).astype(np.int16)
    weights[0] = 0
    layers = random.normal(size=(width + 3, HIDDEN)).astype(np.float32)
    layers[:width] /= 4 * most
    return Nnue(
        board=board_name,
        top=4 * most,
        weights=weights,
        biases=random.integers(-most, most, width).astype(np.int16),
        layers=layers,
    )


def random_lines(settings: Config, games: int, seed: int) -> tuple[Games, NDArray[np.int32]]:
    """Return all positions of random games, line after line, and where each line begins: int32[games + 1]."""
    playing = Games.new(settings, games)
    rows, runs = [playing.states.copy()], [np.ones(games, np.bool_)]
    while not playing.over().all():
        runs.append(~playing.over())
        playing.play_randomly(seed, 1)
        rows.append(playing.states.copy())
    lengths = np.sum(runs, axis=0)
    lines = np.stack(rows, axis=1)
    states = np.concatenate([lines[game, :length] for game, length in enumerate(lengths)])
    return Games(settings, states), np.concatenate(([0], np.cumsum(lengths))).astype(np.int32)
