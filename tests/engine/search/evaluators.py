"""Deterministic stand-ins for networks."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine.search import EvalBatch, Evaluation


def _spread(words: NDArray[np.uint64]) -> NDArray[np.float64]:
    """Numbers in [0, 1) that look random and depend on the words alone."""
    words = (words ^ (words >> np.uint64(31))) * np.uint64(0x9E3779B97F4A7C15)
    words = (words ^ (words >> np.uint64(29))) * np.uint64(0xBF58476D1CE4E5B9)
    return (words >> np.uint64(11)).astype(np.float64) * 2.0**-53


def hashed(batch: EvalBatch) -> Evaluation:
    """Opinions that depend on position and move alone, in no sensible way: no two nodes are alike."""
    rows = batch.states.states.astype(np.int64).astype(np.uint64)
    weights = np.arange(1, rows.shape[1] + 1, dtype=np.uint64) * np.uint64(0xD1342543DE82EF95)
    position = (rows * weights).sum(axis=1, dtype=np.uint64)
    owners: NDArray[np.uint64] = np.repeat(position, np.diff(batch.offsets))
    logits = 4.0 * _spread(owners ^ batch.moves.astype(np.uint64)) - 2.0
    players = batch.config.players
    values = np.stack([_spread(position + np.uint64(seat)) for seat in range(players)], axis=1) * 2.0 - 1.0
    return Evaluation(logits.astype(np.float32), values.astype(np.float32))


def material(batch: EvalBatch) -> Evaluation:
    """Every move alike; a position is worth its shares of the winning rings and territory."""
    players = batch.config.players
    score = batch.states.score().astype(np.float64)
    share = score[:, :, 0] / batch.config.ring_threshold + score[:, :, 1] / batch.config.territory_minimum
    mover = batch.states.player().astype(np.int64) - 1
    relative = np.take_along_axis(share, (mover[:, None] + np.arange(players)) % players, axis=1)
    others = (relative.sum(axis=1, keepdims=True) - relative) / (players - 1)
    values = np.clip((relative - others) / 2.0, -1.0, 1.0)
    return Evaluation(np.zeros(len(batch.moves), np.float32), values.astype(np.float32))
