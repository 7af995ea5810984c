"""Training: from verified games to a network; on a CPU, equal games, seed and settings give equal bytes."""

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

_CHUNK = 512  # games whose positions are drawn and shuffled together


@dataclass(frozen=True)
class Trained:
    """A network (its weights averaged along the way) and the mean losses of the last tenth of the steps."""

    network: Network
    losses: dict[str, float]


def train(
    experience: Experience,
    parent: Network | None,
    seed: bytes,
    settings: TrainSettings,
    report: Report = ignore_progress,
) -> Trained:
    """Trains the parent, or a new network of the settings' architecture, on games drawn from `experience`."""
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
    """The share of the learning rate: up over the first 5% of the steps, then down along a half cosine."""
    warm = max(1, steps // 20)
    if step < warm:
        return (step + 1) / warm
    return 0.02 + 0.98 * 0.5 * (1.0 + float(np.cos(np.pi * (step - warm) / max(1, steps - warm))))


def _batches(experience: Experience, random: np.random.Generator, settings: TrainSettings) -> Iterator[Batch]:
    """`settings.steps` batches, over all games in turn, each time in another order and at other positions."""
    made = 0
    while True:
        before = made
        order = random.permutation(len(experience))
        for first in range(0, len(order), _CHUNK):
            samples = experience.draw(random, order[first : first + _CHUNK], settings.positions_per_game)
            count = len(samples.games)
            # what is left after the last whole batch is dropped, unless it is all there is
            for start in range(0, count - settings.batch + 1, settings.batch) or range(min(1, count)):
                yield make_batch(experience, samples, start, settings.batch)
                made += 1
                if made == settings.steps:
                    return
        if made == before:
            raise ValueError("the games hold no position with a choice after their openings")
