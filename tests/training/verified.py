"""Shards as they are after their games were proved, and the positions of their games by plain play."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine.config import config
from engine.games import Games
from training.experience import Experience
from training.progress import ignore_progress
from training.replay import Verified, replay_games
from training.shard import Shard


def verified(shard: Shard) -> Verified:
    """The shard with its games replayed, without a file."""
    return Verified(shard, replay_games(config(shard.config), shard.moves, shard.lengths, ignore_progress))


def experience_of(*shards: Shard) -> Experience:
    """The experience of these shards, which are of one configuration."""
    return Experience(config(shards[0].config), [verified(shard) for shard in shards])


def positions_of(name: str, moves: NDArray[np.int64]) -> Games:
    """The positions before each of a game's moves, and the last one: `len(moves) + 1` in all."""
    game = Games.new(name, 1)
    rows = [game.states.copy()]
    for move in moves:
        game.apply([move])
        rows.append(game.states.copy())
    return Games(game.config, np.concatenate(rows))
