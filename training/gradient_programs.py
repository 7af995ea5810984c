"""A network as a program for training, which keeps what the steps in reverse need.

Nothing is written over: each number is there when its gradient is taken. What is computed is `training.losses.losses`,
from which torch derives the same gradients.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from engine.config import Config
from training import gradient_kernels
from training.layers import write_network
from training.network import Network
from training.programs import Inputs, Matrix, Program, Writer


@dataclass(frozen=True)
class GradientProgram:
    """A network of any weights for one configuration, with what the gradients need.

    The parameters of a network are numbered from 1 on, one after the other; `program.weights` has the numbers.
    """

    program: Program
    back: NDArray[np.int32]  # [steps]: the place of the weights for the gradient of a step's inputs, or -1
    auxiliary: NDArray[np.int32]  # [gradient_kernels.AUXILIARY]
    places: NDArray[np.int64]  # [parameters]: the place of each parameter's gradient; if it has none, after all others


@cache
def make_gradient_program(architecture: str, config: Config) -> GradientProgram:
    """Return the program of the networks of an architecture for one configuration."""
    network, count = _numbered(architecture)
    write = _Writer(config)
    outputs = write_network(network, write)
    margin = write.linear(network.margin, [outputs.value.inputs])
    ownership = write.linear_board([network.ownership], outputs.trunk)
    auxiliary = {
        gradient_kernels.OWNERSHIP: ownership.start,
        gradient_kernels.OWNERSHIP_WIDTH: ownership.width,
        gradient_kernels.OWNERS: ownership.columns,
        gradient_kernels.MARGIN: margin.start,
    }
    program = write.finish(outputs.answers)
    return GradientProgram(
        program,
        back=np.array(write.back, np.int32),
        auxiliary=np.array([auxiliary[place] for place in range(gradient_kernels.AUXILIARY)], np.int32),
        places=_first_places(program.weights, count),
    )


class _Writer(Writer):
    """A writer that keeps every number, and lays out the weights with which gradients pass backwards."""

    def __init__(self, config: Config) -> None:
        self.back: list[int] = []
        super().__init__(config, np.int64)

    def release(self, *matrices: Matrix) -> None:
        """Keep the matrices: their gradients need them."""

    def linear_rectified(self, layer: nn.Linear, inputs: Matrix, whole: nn.Linear, pooled: Sequence[Inputs]) -> Matrix:
        """Return the same as the other writers, with a place for the gradient of each of the two biases."""
        sums = self.linear_board([layer], inputs)
        return self.rectify(sums, self.linear(whole, pooled))

    def _step(self, operation: int, target: Matrix, **others: int) -> None:
        super()._step(operation, target, **others)
        self.back.append(-1)

    def _product(self, weight: Tensor, inputs: Inputs, target: Matrix, table: int) -> None:
        super()._product(weight, inputs, target, table)
        if inputs.start < self.features:
            return
        outputs, count, taps = weight.shape
        values = np.zeros((taps, target.width, inputs.stride), np.int64)
        # of two neighbours, each sees the other through the opposite tap
        values[:, :outputs, :count] = weight.flip(2).permute(2, 0, 1).numpy()
        self.back[-1] = self._place(values)


def _numbered(architecture: str) -> tuple[Network, int]:
    """Return a network whose parameters, in their order, hold the numbers from 1 on, and how many there are."""
    network, count = Network(architecture), 0
    for module in network.modules():
        for name, parameter in module.named_parameters(recurse=False):
            numbers = torch.arange(count + 1, count + 1 + parameter.numel()).view(parameter.shape)
            setattr(module, name, nn.Parameter(numbers, requires_grad=False))
            count += parameter.numel()
    return network, count


def _first_places(numbers: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """Return the first place of each number from 1 to `count`; of one that is missing, the place after the last."""
    places = np.full(count + 1, len(numbers))
    found, first = np.unique(numbers, return_index=True)
    places[found] = first
    return places[1:]
