"""The training loop, from verified games to a network. Equal games, seed and settings give equal bytes on a CPU."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields

import numpy as np
import torch
from numpy.typing import NDArray

from engine.config import Config
from training.average import Average
from training.batches import Examples, make_examples
from training.experience import Experience
from training.gradients import Gradients
from training.losses import Weights
from training.network import Network
from training.progress import Report, ignore_progress
from training.seeds import seed_word
from training.settings import TrainSettings
from training.state import TrainingState, capture_state, restore_state

_CHUNK = 512  # games from which positions are drawn and shuffled together
_WARM_STEPS = 50  # steps over which the learning rate of a new optimizer rises


@dataclass(frozen=True)
class Start:
    """What a training goes on from: a model, and the state of the training that made it, if it is known."""

    network: Network
    state: TrainingState | None = None


@dataclass(frozen=True)
class Trained:
    """A network with averaged weights, the state to go on from, and the mean losses of the last tenth of the steps."""

    network: Network
    state: TrainingState | None  # None: the network was not trained here
    losses: dict[str, float]


@dataclass(frozen=True)
class Joint:
    """Games of other configurations, and the share of the steps that is made on them, in equal parts."""

    experiences: Sequence[Experience]
    share: float


def train(
    experience: Experience,
    start: Start | None,
    seed: bytes,
    settings: TrainSettings,
    report: Report = ignore_progress,
    *,
    joint: Joint | None = None,
) -> Trained:
    """Train for `settings.steps` steps on games drawn from `experience`; the losses are those on these.

    Args:
        start: what to go on from, with its architecture; None for a new network of the settings' architecture.
        seed: 32 bytes, from which new weights and the order of the positions are drawn.
        joint: on what a share of the steps is made instead; None: nothing.

    Raises:
        ValueError: no game has a position to train on, or the state is of another architecture than the model.
    """
    experiences = [experience, *(joint.experiences if joint is not None else ())]
    turns = _turns(seed, settings.steps, 0.0 if joint is None else joint.share, len(experiences) - 1)
    training = _Training(start, seed, settings, [each.config for each in experiences])
    history: list[NDArray[np.float64]] = []
    batches = [
        _batches(each, np.random.default_rng(seed_word(seed, _stream(place, each))), settings)
        for place, each in enumerate(experiences)
    ]
    for made, turn in enumerate(turns, 1):
        losses = training.step(next(batches[turn]), turn)
        if turn == 0:
            history.append(losses)
        report({"steps": made, "wanted": settings.steps})
    mean = np.mean(history[-max(1, settings.steps // 10) :], axis=0)
    network, state = training.finish()
    names = [field.name for field in fields(Weights)]
    return Trained(network, state, dict(zip(names, mean.tolist(), strict=True)))


def _stream(place: int, experience: Experience) -> str:
    """Return the name of the chance by which positions are drawn."""
    return "positions" if place == 0 else f"positions {experience.config.name}"


def _turns(seed: bytes, steps: int, share: float, others: int) -> list[int]:
    """Return for each step on what it is made: 0 for the own games, which have the last step, or the number of others.

    The others have a share of the steps, in equal parts.
    """
    if others == 0:
        return [0] * steps
    random = np.random.default_rng(seed_word(seed, "joint steps"))
    drawn = np.where(random.random(steps) < share, random.integers(1, others + 1, steps), 0)
    return [*map(int, drawn[:-1]), 0]


class _Training:
    """A network that is trained, with its optimizer and the average of its weights."""

    def __init__(self, start: Start | None, seed: bytes, settings: TrainSettings, configs: Sequence[Config]) -> None:
        torch.manual_seed(seed_word(seed, "weights") % 2**63)
        self.network = Network(settings.architecture) if start is None else copy.deepcopy(start.network)
        self.network.train()
        self._gradients = [Gradients(self.network, config) for config in configs]
        self._rate = settings.learning_rate
        self._optimizer = torch.optim.AdamW(
            self.network.parameters(), lr=self._rate, weight_decay=settings.weight_decay, fused=True
        )
        self._average = Average(self.network, settings.average_decay)
        self._steps = 0
        if start is not None and start.state is not None:
            self._resume(start.network, start.state)

    def _resume(self, model: Network, state: TrainingState) -> None:
        if state.architecture != model.architecture:
            raise ValueError(f"a training state of {state.architecture} with a model of {model.architecture}")
        restore_state(state, self.network, self._optimizer)
        self._average.resume(model.parameters(), state.steps)
        self._steps = state.steps

    def step(self, examples: Examples, place: int) -> NDArray[np.float64]:
        """Make one step of the optimizer and return the losses before it, in the order of `Weights`.

        `place` is that of the examples' configuration. The learning rate rises over the first steps of a new optimizer.
        """
        self._steps += 1
        for group in self._optimizer.param_groups:
            group["lr"] = self._rate * min(1.0, self._steps / _WARM_STEPS)
        gradients = self._gradients[place]
        gradients.take_over()
        losses = gradients.update(examples, Weights())
        gradients.clip(1.0)
        self._optimizer.step()
        self._average.update()
        return losses

    def finish(self) -> tuple[Network, TrainingState]:
        """Return the network, with averaged weights from now on, and the state to go on from."""
        state = capture_state(self.network, self._optimizer, self._steps)
        self._average.store()
        self.network.zero_grad()
        return self.network.eval(), state


def _batches(experience: Experience, random: np.random.Generator, settings: TrainSettings) -> Iterator[Examples]:
    """Yield batches for ever, going over all games again and again in new orders and at new positions.

    Games that are held out are left out. Raise ValueError if no game has a position to train on.
    """
    made = 0
    while True:
        before = made
        order = random.permutation(np.flatnonzero(~experience.held_out))
        if experience.rates is not None:
            order = order[random.random(len(order)) < experience.rates[order]]
        for first in range(0, len(order), _CHUNK):
            samples = experience.draw(random, order[first : first + _CHUNK], settings.positions_per_game)
            count = len(samples.games)
            # a rest that does not fill a batch is dropped, unless there is nothing else
            for start in range(0, count - settings.batch + 1, settings.batch) or range(min(1, count)):
                yield make_examples(experience, samples, start, settings.batch)
                made += 1
        if made == before:
            raise ValueError("the games hold no position with a choice after their openings")
