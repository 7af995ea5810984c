"""The heuristic as what a search asks, so that it can search where there is no network."""

from __future__ import annotations

import numpy as np

from engine.players.descent import value_by_heuristic
from engine.players.heuristic import score_moves
from engine.search import EvalBatch, Evaluation

_FLOOR = -40.0  # of logits: lower ones are as good as never


def evaluate_by_heuristic(batch: EvalBatch) -> Evaluation:
    """Evaluate by the weighted sums of `engine.players.heuristic`: of moves after them, of positions as leads."""
    games, players = batch.states, batch.config.players
    counts = np.diff(batch.offsets)
    owners = np.repeat(np.arange(len(games), dtype=np.int32), counts)
    scores = score_moves(games, owners, np.ascontiguousarray(batch.moves))
    best = np.maximum.reduceat(scores, batch.offsets[:-1])
    leads = value_by_heuristic(games)
    seats = (games.player().astype(np.int64)[:, None] - 1 + np.arange(players)) % players
    relative = np.take_along_axis(leads, seats, axis=1)
    values = np.where(relative < 0, relative / (players - 1), relative)
    return Evaluation(
        logits=np.maximum(scores - best[owners], _FLOOR).astype(np.float32),
        values=values.astype(np.float32),
    )
