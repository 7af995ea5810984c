"""The gradients of the losses by kernels, where torch would derive them from the forward pass."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from engine.backend.cpu import Cpu, cpu
from engine.backend.dialect import Executor, Lanes
from engine.backend.launches import aligned_empty
from engine.config import Config
from engine.rules import tables
from training import gradient_kernels
from training.batches import Examples
from training.compute import Compute
from training.flat_gradients import FlatGradients
from training.gradient_programs import make_gradient_program
from training.losses import Weights
from training.move_index import field_roles
from training.network import Network
from training.team import Team, split
from training.torch_gradients import TorchGradients


class Gradients(FlatGradients):
    """The gradients of a network's losses for one configuration, in the calling thread.

    Equal weights and examples give equal bytes.
    """

    def __init__(self, network: Network, config: Config, executor: Executor | None = None) -> None:
        """Take over the `grad` of each of the network's parameters.

        Raise ValueError if the executor has several threads: they would add to the same sums.
        """
        super().__init__(network)
        if isinstance(executor, Cpu) and executor.threads > 1:
            raise ValueError(f"gradients take an executor of one thread, not of {executor.threads}")
        self._made = make_gradient_program(network.architecture, config)
        self._config = config
        self._executor = executor or cpu()
        self._fields = field_roles()
        size = len(self._made.program.weights)
        self._parameters = [parameter.detach() for parameter in network.parameters()]
        self._weights = aligned_empty((size,), np.float32)
        self._sums = aligned_empty((size + 1,), np.float32)  # the last one stays 0

    def update(
        self, examples: Examples, weights: Weights, means: NDArray[np.float64] | None = None
    ) -> NDArray[np.float64]:
        """Set the gradients of the weighted sum of the losses, and return the losses, in the order of `Weights`.

        `means` are those of the examples, or their part of the means of more examples (`Examples.means`).
        """
        program, count = self._made.program, len(examples.states)
        values = torch.cat([torch.zeros(1), *(parameter.reshape(-1) for parameter in self._parameters)]).numpy()
        values.take(program.weights, out=self._weights)
        self._sums[:] = 0.0
        means = examples.means() if means is None else means
        factors = np.array([weights.policy, weights.winner, weights.ownership, weights.margin])
        losses = np.empty((count, gradient_kernels.LOSSES), np.float32)
        self._executor.launch(
            gradient_kernels.learn_positions,
            count,
            tables(self._config),
            program.grid,
            program.features,
            program.steps,
            program.indices,
            self._weights,
            self._made.back,
            program.answers,
            self._made.auxiliary,
            self._fields,
            program.memory,
            Lanes(2 * program.memory, np.float32),
            examples.states.states,
            examples.offsets,
            examples.moves,
            examples.policy,
            (means * factors).astype(np.float32),
            examples.winner,
            examples.owners,
            examples.margin,
            np.empty(len(examples.moves), np.float32),
            losses,
            self._sums,
        )
        self._sums.take(self._made.places, out=self.flat.numpy())
        summed: NDArray[np.float64] = (losses * means).sum(axis=0)
        return summed


def gradients_of(network: Network, config: Config, compute: Compute) -> Gradients | TorchGradients:
    """Return the gradients that a process computes as it is told, in its calling thread."""
    return Gradients(network, config) if compute.is_by_kernels else TorchGradients(network, config, compute)


class SharedGradients:
    """The same, of which each process of a team computes a part; the parts are added in the order of the processes.

    So equal weights and examples give equal bytes for teams of one size. Those of another size differ by rounding.
    """

    def __init__(self, network: Network, config: Config, team: Team) -> None:
        """See `gradients_of`."""
        self._own = gradients_of(network, config, team.compute)
        self._network, self._team = network, team

    def take_over(self) -> None:
        """See `Gradients.take_over`."""
        self._own.take_over()

    def update(self, examples: Examples, weights: Weights) -> NDArray[np.float64]:
        """See `Gradients.update`; `weights` are the default ones. Raise RuntimeError if a process of the team died."""
        assert weights == Weights()
        parts, means = zip(*split(examples, examples.means(), self._team.size), strict=True)
        self._team.send(nn.utils.parameters_to_vector(self._network.parameters()).detach(), parts, means)
        losses = self._own.update(parts[0], weights, means[0])
        for gradients, their_losses in self._team.receive(len(self._own.flat)):
            self._own.flat.add_(gradients)
            losses += their_losses
        return losses

    def clip(self, norm: float) -> None:
        """See `Gradients.clip`."""
        self._own.clip(norm)
