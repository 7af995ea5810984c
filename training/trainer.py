"""The training loop, from verified games to a network. Equal games, seed and settings give equal bytes on a CPU."""

from __future__ import annotations

import copy
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from engine.config import Config
from training.average import Average
from training.batches import Examples
from training.compute import Compute, compute_of
from training.drawing import Drawing, DrawingPlace
from training.experience import Experience
from training.gradients import Gradients, SharedGradients, gradients_of
from training.losses import Weights
from training.network import Network
from training.progress import Report, ignore_progress
from training.seeds import seed_word
from training.settings import TrainSettings
from training.stage import ObserveStage, Stage, ignore_stage
from training.state import TrainingState, capture_state, restore_state
from training.team import Team, team_of
from training.torch_gradients import TorchGradients

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
    stage: Stage | None = None,
    observe: ObserveStage = ignore_stage,
) -> Trained:
    """Train for `settings.steps` steps on games drawn from `experience`; the losses are those on these.

    A training that goes on from a stage of an equal one ends with the same bytes as if it had made all steps itself.

    Args:
        start: what to go on from, with its architecture; None for a new network of the settings' architecture.
        seed: 32 bytes, from which new weights and the order of the positions are drawn.
        joint: on what a share of the steps is made instead; None: nothing.
        stage: of a training with the same arguments, to go on from; None: from the beginning.
        observe: is told of each stage.

    Raises:
        ValueError: no game has a position to train on, or the state is of another architecture than the model.
    """
    experiences = [experience, *(joint.experiences if joint is not None else ())]
    turns = _turns(seed, settings.steps, 0.0 if joint is None else joint.share, len(experiences) - 1)
    configs = [each.config for each in experiences]
    architecture = settings.architecture if start is None else start.network.architecture
    compute = compute_of(settings)
    with team_of(settings.processes, architecture, configs, compute) as team:
        training = _Training(start, seed, settings, configs, team or compute)
        history: deque[NDArray[np.float64]] = deque(maxlen=max(1, settings.steps // 10))
        drawings = [
            Drawing(each, seed_word(seed, _stream(place, each)), settings) for place, each in enumerate(experiences)
        ]
        if stage is not None:
            training.go_on(stage)
            history.extend(stage.losses)
            for drawing, at in zip(drawings, stage.places, strict=True):
                drawing.go_on(at)

        def take() -> Stage:
            places = tuple(drawing.place for drawing in drawings)
            return training.stage(made, np.array(history).reshape(-1, len(fields(Weights))), places)

        made = 0 if stage is None else stage.made
        for turn in turns[made:]:
            losses = training.step(drawings[turn].next_batch(), turn)
            made += 1
            if turn == 0:
                history.append(losses)
            observe(take)
            report({"steps": made, "wanted": settings.steps})
        last = take()
        observe(lambda: last)
        network = training.finish()
    mean = np.mean(last.losses, axis=0)
    names = [field.name for field in fields(Weights)]
    return Trained(network, last.state, dict(zip(names, mean.tolist(), strict=True)))


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

    def __init__(
        self,
        start: Start | None,
        seed: bytes,
        settings: TrainSettings,
        configs: Sequence[Config],
        using: Team | Compute,
    ) -> None:
        torch.manual_seed(seed_word(seed, "weights") % 2**63)
        self.network = Network(settings.architecture) if start is None else copy.deepcopy(start.network)
        self.network.train()
        self._gradients: list[Gradients | TorchGradients | SharedGradients] = [
            SharedGradients(self.network, config, using)
            if isinstance(using, Team)
            else gradients_of(self.network, config, using)
            for config in configs
        ]
        self._rate = settings.learning_rate
        self._optimizer = torch.optim.AdamW(
            self.network.parameters(), lr=self._rate, weight_decay=settings.weight_decay, fused=True
        )
        self._average = Average(self.network, settings.average_decay)
        self._steps = 0
        if start is not None and start.state is not None:
            self._resume(start.network, start.state)

    def _resume(self, model: Network, state: TrainingState) -> None:
        self._restore(state, dict(model.named_parameters()))

    def go_on(self, stage: Stage) -> None:
        """Go on from a stage. Raise ValueError if it is of another architecture."""
        self._restore(stage.state, stage.average)

    def _restore(self, state: TrainingState, average: Mapping[str, Tensor]) -> None:
        if state.architecture != self.network.architecture:
            raise ValueError(f"a training state of {state.architecture} with a model of {self.network.architecture}")
        restore_state(state, self.network, self._optimizer)
        self._average.resume((average[name] for name, _ in self.network.named_parameters()), state.steps)
        self._steps = state.steps

    def stage(self, made: int, losses: NDArray[np.float64], places: tuple[DrawingPlace | None, ...]) -> Stage:
        """Return a copy of where the training stands after `made` steps of this one, at least one."""
        state = capture_state(self.network, self._optimizer, self._steps)
        names = [name for name, _ in self.network.named_parameters()]
        average = dict(zip(names, self._average.copy(), strict=True))
        return Stage(made=made, state=state, average=average, losses=losses, places=places)

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

    def finish(self) -> Network:
        """Return the network, with averaged weights from now on."""
        self._average.store()
        self.network.zero_grad()
        return self.network.eval()
