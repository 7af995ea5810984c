"""The training of an NNUE network. Equal games, seed, settings and teacher give equal bytes on a CPU."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import torch
from torch import Tensor

from engine.nnue.network import Nnue
from engine.search import Evaluate
from training.experience import Experience
from training.nnue.model import NnueModel
from training.nnue.samples import TargetShares, draw_positions, features_of, make_targets
from training.progress import Report, ignore_progress
from training.seeds import seed_word

_CHUNK_GAMES: Final = 512
"""Games from which positions are drawn and shuffled together."""


@dataclass(frozen=True, kw_only=True)
class DistilSettings:
    """How an NNUE network is trained."""

    width: int = 64
    """Units of the first layer."""
    steps: int = 1200
    batch: int = 512
    positions_per_game: int = 8
    """Positions drawn from a game each time it is used."""
    learning_rate: float = 2e-3
    weight_decay: float = 1e-2
    targets: TargetShares = field(default_factory=TargetShares)


def distil(
    experiences: Sequence[Experience],
    *,
    seed: bytes,
    settings: DistilSettings,
    teacher: Evaluate | None = None,
    report: Report = ignore_progress,
) -> Nnue:
    """Train a network on the games of one board; those for different numbers of players take turns.

    Args:
        seed: 32 bytes, from which the first weights and the positions are drawn.
        teacher: a larger network, whose values on the same positions are part of the targets.
        report: called after each step with the steps made and wanted.

    Raises:
        ValueError: there are no games, or they are of several boards, or none has a position after its opening.
    """
    boards = {experience.config.board for experience in experiences}
    if len(boards) != 1:
        raise ValueError(f"a network is for one board, but the games are of {sorted(boards)}")
    torch.use_deterministic_algorithms(True)
    torch.manual_seed(seed_word(seed, "nnue weights") % 2**63)
    model = NnueModel(boards.pop(), settings.width)
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay, foreach=True
    )
    sources = [
        _batches(experience, np.random.default_rng(seed_word(seed, "nnue positions", number)), settings, teacher)
        for number, experience in enumerate(experiences)
    ]
    for step in range(settings.steps):
        features, targets = next(sources[step % len(sources)])
        for group in optimizer.param_groups:
            group["lr"] = settings.learning_rate * _schedule(step, settings.steps)
        loss = -(targets * model(features).log_softmax(dim=1)).sum(dim=1).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        report({"steps": step + 1, "wanted": settings.steps})
    return model.to_integers()


def _schedule(step: int, steps: int) -> float:
    """Return the factor of the learning rate: it rises over the first 5% of the steps, then falls as a half cosine."""
    warm = max(1, steps // 20)
    if step < warm:
        return (step + 1) / warm
    return 0.02 + 0.98 * 0.5 * (1.0 + float(np.cos(np.pi * (step - warm) / max(1, steps - warm))))


def _batches(
    experience: Experience, random: np.random.Generator, settings: DistilSettings, teacher: Evaluate | None
) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield features and targets without end, of all games but those held out, in new orders and at new positions.

    Raise ValueError if no game has a position after its opening.
    """
    while True:
        order, made = random.permutation(np.flatnonzero(~experience.held_out)), 0
        for first in range(0, len(order), _CHUNK_GAMES):
            games = order[first : first + _CHUNK_GAMES]
            positions = draw_positions(experience, random, games, settings.positions_per_game)
            features = features_of(positions, random)
            targets = make_targets(experience, positions, settings.targets, teacher)
            count = len(targets)
            # a rest that does not fill a batch is dropped, unless there is nothing else
            for start in range(0, count - settings.batch + 1, settings.batch) or range(min(1, count)):
                end = start + settings.batch
                yield torch.from_numpy(features[start:end]), torch.from_numpy(targets[start:end])
                made += 1
        if made == 0:
            raise ValueError("the games hold no position after their openings")
