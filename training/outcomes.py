"""The games of matches and series to train on. No searches of theirs are recorded, so they teach only who won."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from engine.config import Config
from training.check import Reported, load_reported
from training.progress import Report
from training.replay import Verified
from training.shard import Shard

_NOBODY = bytes(32)  # several players have played them


def load_outcomes(path: Path, config: Config, said: Reported, report: Report) -> Verified:
    """Return the games of a slot. Raise DataError if anything is not as it was reported."""
    games, replayed = load_reported(path, config, said, report)
    shard = Shard(
        config=config.name,
        model=_NOBODY,
        seed=_NOBODY,
        lengths=np.array([len(game.moves) for game in games], np.int32),
        openings=np.array([game.opening for game in games], np.int32),
        winners=np.array([game.winner for game in games], np.int8),
        moves=np.concatenate([game.moves for game in games]),
        searched=np.empty(0, np.int32),
        choices=np.empty(0, np.int32),
        entries=np.empty(0, np.uint16),
        weights=np.empty(0, np.uint16),
        values=np.empty(0, np.int16),
    )
    return Verified(shard, replayed, only_outcomes=True)
