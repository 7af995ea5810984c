"""How well chances foretell the outcomes of games: log loss and correlation, for each quarter of a game."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.nnue.network import Nnue
from engine.nnue.rating import rate_positions
from training.experience import Experience
from training.nnue.samples import draw_positions, outcomes

QUARTERS = 4


@dataclass(frozen=True, kw_only=True)
class Foresight:
    """Four figures a measure, one for each quarter of a game's plies, over positions after the opening."""

    positions: tuple[int, ...]
    log_loss: tuple[float, ...]
    """The mean of -ln of the winner's chance."""
    constant: tuple[float, ...]
    """The least log loss that the same chances in all positions can have: how often each player won."""
    correlation: tuple[float, ...]
    """Of the chances of all players with 1 for the winner and 0 for the others."""


def foresee(nnue: Nnue, experience: Experience, *, per_game: int = 24, seed: int = 0) -> Foresight | None:
    """Measure a network at random positions of the games that are held out; return None if there is none."""
    finished = np.flatnonzero(experience.held_out & (experience.winners > 0))
    positions = draw_positions(experience, np.random.default_rng(seed), finished, per_game)
    if len(positions.plies) == 0:
        return None
    begins = experience.offsets[positions.games]
    lengths = experience.offsets[positions.games + 1] - begins
    quarters = (positions.plies - begins) * QUARTERS // lengths
    return measure(rate_positions(nnue, positions.states).chances, outcomes(experience, positions.games), quarters)


def measure(chances: NDArray[np.float32], won: NDArray[np.float32], quarters: NDArray[np.int64]) -> Foresight:
    """Compare chances with outcomes.

    Args:
        chances: float32[N, P].
        won: float32[N, P]: 1 for the winner.
        quarters: int64[N]: 0 .. 3.
    """
    parts = [np.flatnonzero(quarters == quarter) for quarter in range(QUARTERS)]
    shares = [won[part].mean(axis=0, dtype=np.float64) for part in parts]
    return Foresight(
        positions=tuple(len(part) for part in parts),
        log_loss=tuple(_log_loss(chances[part], won[part]) for part in parts),
        constant=tuple(
            _log_loss(np.broadcast_to(share, won[part].shape), won[part])
            for share, part in zip(shares, parts, strict=True)
        ),
        correlation=tuple(float(np.corrcoef(chances[part].ravel(), won[part].ravel())[0, 1]) for part in parts),
    )


def _log_loss(chances: NDArray[np.floating[Any]], won: NDArray[np.float32]) -> float:
    return float(-np.log(np.maximum((chances * won).sum(axis=1), 1e-9)).mean())
