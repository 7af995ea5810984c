"""The gradients of the losses by kernels: a network as a program that keeps what its steps in reverse need.

`make_gradient_program` follows the modules of a `Network` layer by layer, as `training.inference.make_program` does for
play, but it writes nothing over: each number is there when its gradient is taken. What is computed is
`training.losses.losses`, from which torch derives the same gradients.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from engine.backend.cpu import Cpu, cpu
from engine.backend.dialect import Executor, Lanes
from engine.backend.launches import aligned_empty
from engine.config import Config
from engine.features import PLANES, SCALARS
from engine.rules import tables
from training import gradient_kernels, inference_kernels
from training.batches import Examples
from training.geometry import LOCAL_PLANES
from training.losses import Weights
from training.move_index import field_roles
from training.network import Network, ResidualBlock
from training.programs import Inputs, Matrix, Program, Writer, runs


@dataclass(frozen=True)
class GradientProgram:
    """A network of any weights for one configuration, with what the gradients need.

    The parameters of a network are numbered from 1 on, one after the other; `program.weights` has the numbers.
    """

    program: Program
    back: NDArray[np.int32]  # [steps]: the place of the weights for the gradient of a step's inputs, or -1
    auxiliary: NDArray[np.int32]  # [gradient_kernels.AUXILIARY]
    places: NDArray[np.int64]  # [parameters]: the place of each parameter's gradient; if it has none, after all others


class _Writer(Writer):
    """A writer that also lays out the weights with which gradients pass backwards."""

    def __init__(self, config: Config) -> None:
        self.back: list[int] = []
        super().__init__(config, np.int64)

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


@cache
def make_gradient_program(architecture: str, config: Config) -> GradientProgram:
    """Return the program of the networks of an architecture for one configuration."""
    network, count = _numbered(architecture)
    write = _Writer(config)
    channels, units = network.entry.weight.shape[0], network.value_hidden.out_features
    zeros = write.new_vector(max(channels, units))
    whole = [write.planes.part(LOCAL_PLANES, PLANES - LOCAL_PLANES), write.scalars.part(0, SCALARS)]

    def linear(layer: nn.Linear, inputs: list[Inputs]) -> Matrix:
        made = write.new_vector(layer.out_features)
        write.linear(layer, inputs, made)
        return made

    def linear_board(layers: list[nn.Linear], inputs: Matrix) -> Matrix:
        made = write.new_board(sum(layer.out_features for layer in layers))
        write.start(made, torch.cat([layer.bias for layer in layers]))
        weight = torch.cat([layer.weight for layer in layers])
        write.multiply(weight, [inputs.part(0, layers[0].in_features)], made)
        return made

    def rectify(source: Matrix, added: Matrix) -> Matrix:
        made = write.new_board(channels) if source.rows > 1 else write.new_vector(units)
        write.rectify(source, added, made)
        return made

    def pool(source: Matrix) -> Matrix:
        made = write.new_vector(channels)
        write.pool(source, made)
        return made

    write.start(zeros)
    x = write.new_board(channels)
    write.spread(linear(network.entry_scalars, whole), x)
    for first, planes in runs(write.geometry.local.tolist()):
        write.convolve(network.entry.weight[:, first : first + planes], write.planes.part(first, planes), x)
    for block in network.blocks:
        assert isinstance(block, ResidualBlock)
        hidden = write.new_board(channels)
        write.start(hidden)
        write.convolve(block.first.weight, rectify(x, zeros).part(0, channels), hidden)
        row = linear(block.pooled, [pool(hidden).part(0, channels)])
        write.convolve(block.second.weight, rectify(hidden, row).part(0, channels), x)
    trunk = rectify(x, zeros)
    mean, peak = pool(trunk), write.new_vector(channels)
    write.find_peaks(trunk, peak)
    pooled = [mean.part(0, channels), *whole]

    shaped = rectify(linear_board([network.policy_hidden], trunk), linear(network.policy_pooled, pooled))
    heads = linear_board([network.policy_roles, network.policy_origin, network.policy_landing], shaped)
    kinds = linear(network.policy_kinds, pooled)
    value = linear(network.value_hidden, [mean.part(0, channels), peak.part(0, channels), *whole])
    second = linear(network.value_second, [rectify(value, zeros).part(0, units)])
    value = rectify(second, zeros)
    winner = linear(network.winner, [value.part(0, units)])
    margin = linear(network.margin, [value.part(0, units)])
    ownership = linear_board([network.ownership], trunk)

    roles, embedding = network.policy_roles.out_features, network.policy_origin.out_features
    program = write.finish(
        {
            inference_kernels.HEADS: heads.start,
            inference_kernels.HEADS_WIDTH: heads.width,
            inference_kernels.ORIGIN: roles,
            inference_kernels.LANDING: roles + embedding,
            inference_kernels.EMBEDDING: embedding,
            inference_kernels.KINDS: kinds.start,
            inference_kernels.WINNER: winner.start,
        }
    )
    auxiliary = {
        gradient_kernels.OWNERSHIP: ownership.start,
        gradient_kernels.OWNERSHIP_WIDTH: ownership.width,
        gradient_kernels.OWNERS: network.ownership.out_features,
        gradient_kernels.MARGIN: margin.start,
    }
    return GradientProgram(
        program,
        back=np.array(write.back, np.int32),
        auxiliary=np.array([auxiliary[place] for place in range(gradient_kernels.AUXILIARY)], np.int32),
        places=_first_places(program.weights, count),
    )


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


class Gradients:
    """The gradients of a network's losses for one configuration, in the calling thread.

    Equal weights and examples give equal bytes.
    """

    def __init__(self, network: Network, config: Config, executor: Executor | None = None) -> None:
        """Take over the `grad` of each of the network's parameters.

        Raise ValueError if the executor has several threads: they would add to the same sums.
        """
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
        self._flat = torch.zeros(len(self._made.places))  # the gradients of all parameters
        sizes = [parameter.numel() for parameter in self._parameters]
        for parameter, part in zip(network.parameters(), torch.split(self._flat, sizes), strict=True):
            parameter.grad = part.view(parameter.shape)

    def update(self, examples: Examples, weights: Weights) -> NDArray[np.float64]:
        """Set the gradients of the weighted sum of the losses, and return the losses, in the order of `Weights`."""
        program, count = self._made.program, len(examples.states)
        values = torch.cat([torch.zeros(1), *(parameter.reshape(-1) for parameter in self._parameters)]).numpy()
        values.take(program.weights, out=self._weights)
        self._sums[:] = 0.0
        means = examples.means()
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
        self._sums.take(self._made.places, out=self._flat.numpy())
        summed: NDArray[np.float64] = (losses * means).sum(axis=0)
        return summed

    def clip(self, norm: float) -> None:
        """Scale the gradients down to this norm, taken over all of them, if theirs is larger."""
        own = torch.linalg.vector_norm(self._flat)
        self._flat.mul_((norm / (own + 1e-6)).clamp(max=1.0))
