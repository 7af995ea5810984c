"""The training loop, from verified games to a network. Equal games, seed and settings give equal bytes on a CPU."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch

from training.average import Average
from training.batches import make_batch
from training.experience import Experience
from training.geometry import Geometry
from training.losses import Batch, Weights, losses, weigh
from training.network import Network
from training.progress import Report, ignore_progress
from training.seeds import seed_word
from training.settings import TrainSettings

_CHUNK = 512  # games from which positions are drawn and shuffled together


@dataclass(frozen=True)
class Trained:
    """A network with averaged weights, and the mean losses of the last tenth of the steps."""

    network: Network
    losses: dict[str, float]


def train(
    experience: Experience,
    parent: Network | None,
    seed: bytes,
    settings: TrainSettings,
    report: Report = ignore_progress,
) -> Trained:
    """Train the parent, or a new network of the settings' architecture, on games drawn from `experience`."""
    torch.use_deterministic_algorithms(True)
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    torch.manual_seed(seed_word(seed, "weights") % 2**63)
    network = Network(settings.architecture) if parent is None else copy.deepcopy(parent)
    network.train()
    geometry = Geometry.of(experience.config)
    optimizer = torch.optim.AdamW(
        network.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay, foreach=True
    )
    average = Average(network, settings.average_decay)
    history: list[torch.Tensor] = []
    names: list[str] = []
    for step, batch in enumerate(_batches(experience, np.random.default_rng(seed_word(seed, "positions")), settings)):
        for group in optimizer.param_groups:
            group["lr"] = settings.learning_rate * _schedule(step, settings.steps)
        parts = losses(network, geometry, batch)
        optimizer.zero_grad()
        weigh(parts, Weights()).backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        average.update()
        names = list(parts)
        history.append(torch.stack(list(parts.values())).detach())
        report({"steps": step + 1, "wanted": settings.steps})
    average.store()
    mean = torch.stack(history[-max(1, settings.steps // 10) :]).mean(dim=0)
    return Trained(network.eval(), dict(zip(names, mean.tolist(), strict=True)))


def _schedule(step: int, steps: int) -> float:
    """Return the factor of the learning rate: it rises over the first 5% of the steps, then falls as a half cosine."""
    warm = max(1, steps // 20)
    if step < warm:
        return (step + 1) / warm
    return 0.02 + 0.98 * 0.5 * (1.0 + float(np.cos(np.pi * (step - warm) / max(1, steps - warm))))


def _batches(experience: Experience, random: np.random.Generator, settings: TrainSettings) -> Iterator[Batch]:
    """Yield `settings.steps` batches, going over all games again and again in new orders and at new positions.

    Raise ValueError if no game has a position to train on.
    """
    made = 0
    while True:
        before = made
        order = random.permutation(len(experience))
        for first in range(0, len(order), _CHUNK):
            samples = experience.draw(random, order[first : first + _CHUNK], settings.positions_per_game)
            count = len(samples.games)
            # a rest that does not fill a batch is dropped, unless there is nothing else
            for start in range(0, count - settings.batch + 1, settings.batch) or range(min(1, count)):
                yield make_batch(experience, samples, start, settings.batch)
                made += 1
                if made == settings.steps:
                    return
        if made == before:
            raise ValueError("the games hold no position with a choice after their openings")
