"""The gradients of the losses by torch, on a GPU: forward and backward pass in bfloat16, losses and sums in float32.

The weights stay where they are trained, on the CPU and in float32; a copy of them is on the device, where torch's
autocast rounds them for each pass. What comes back is the float32 gradient, so the optimizer, the average of the
weights, checkpoints and teams are the same as with our kernels.
"""

from __future__ import annotations

import copy
from dataclasses import fields, replace

import numpy as np
import torch
import torch.nn.functional as functional
from numpy.typing import NDArray
from torch import Tensor, nn

from engine.config import Config
from training.batches import Examples, batch_of
from training.compute import BFLOAT16, Compute
from training.flat_gradients import FlatGradients
from training.geometry import Geometry, geometry_on
from training.losses import Batch, Weights
from training.move_index import MoveIndex
from training.network import Heads, Network, move_logits


class TorchGradients(FlatGradients):
    """The gradients of a network's losses for one configuration, by torch on a device.

    On a CPU, and with one thread, equal weights and examples give equal bytes.
    """

    def __init__(self, network: Network, config: Config, compute: Compute) -> None:
        """Put a copy of the network on the device, and take over the `grad` of each of the network's parameters."""
        super().__init__(network)
        self._network, self._device = network, compute.device
        self._is_half = compute.precision == BFLOAT16
        self._moved = copy.deepcopy(network).to(compute.device)
        self._geometry = geometry_on(Geometry.of(config), compute.device, torch.float32)

    def update(
        self, examples: Examples, weights: Weights, means: NDArray[np.float64] | None = None
    ) -> NDArray[np.float64]:
        """See `training.gradients.Gradients.update`."""
        if len(examples.states) == 0:  # the part of a process that has nothing to do
            self.flat.zero_()
            return np.zeros(len(fields(Weights)))
        means = examples.means() if means is None else means
        self._take_weights()
        with torch.autocast(torch.device(self._device).type, torch.bfloat16, enabled=self._is_half):
            batch = on_device(batch_of(examples), self._device)
            heads = self._moved(batch.planes, batch.scalars, self._geometry, auxiliary=True)
        width = int(np.diff(examples.offsets).max())
        losses = position_losses(in_float32(heads), self._geometry.index, batch, width)
        factors = np.array([weights.policy, weights.winner, weights.ownership, weights.margin])
        shares = torch.from_numpy((means * factors).astype(np.float32)).to(self._device)
        (losses * shares).sum().backward()  # type: ignore[no-untyped-call]
        self.flat.copy_(torch.cat([_gradient(parameter).flatten() for parameter in self._moved.parameters()]))
        told = losses.detach().cpu().double().numpy()
        summed: NDArray[np.float64] = (told * means).sum(axis=0)
        return summed

    @torch.no_grad()
    def _take_weights(self) -> None:
        vector = nn.utils.parameters_to_vector(self._network.parameters()).to(self._device)
        parts = torch.split(vector, [parameter.numel() for parameter in self._moved.parameters()])
        for parameter, part in zip(self._moved.parameters(), parts, strict=True):
            parameter.copy_(part.view(parameter.shape))
            parameter.grad = None


def position_losses(heads: Heads, index: MoveIndex, batch: Batch, width: int) -> Tensor:
    """Return float32[N, 4]: the sum of each position's losses, in the order of `Weights`.

    Weighted with `Examples.means` they add up to the losses of `training.losses`. `width` is the greatest number of
    legal moves of a position.
    """
    logits = move_logits(heads, index, batch.rows, batch.moves)
    shape = len(batch.planes), width
    at = batch.rows, batch.places
    dense = logits.new_full(shape, -torch.inf).index_put(at, logits)
    chosen = dense.log_softmax(dim=1)[at]
    policy = logits.new_zeros(shape).index_put(at, -batch.policy * chosen).sum(dim=1)
    winner = -(batch.winner * heads.winner.log_softmax(dim=1)).sum(dim=1)
    assert heads.ownership is not None
    assert heads.margin is not None
    owners = functional.cross_entropy(
        heads.ownership.transpose(1, 2), batch.ownership, ignore_index=-1, reduction="none"
    ).sum(dim=1)
    margins = heads.margin[:, : batch.margin.shape[1]]
    margin = functional.smooth_l1_loss(margins, batch.margin, reduction="none").sum(dim=(1, 2))
    return torch.stack([policy, winner, owners, margin], dim=1)


def in_float32(heads: Heads) -> Heads:
    """Return what a network said, with all numbers in float32."""
    told = {field.name: getattr(heads, field.name) for field in fields(Heads)}
    return replace(heads, **{name: tensor.float() for name, tensor in told.items() if tensor is not None})


def on_device(batch: Batch, device: str) -> Batch:
    """Return a batch whose tensors are on a device."""
    return Batch(**{field.name: getattr(batch, field.name).to(device) for field in fields(Batch)})


def _gradient(parameter: nn.Parameter) -> Tensor:
    """Return the gradient of a parameter, which is 0 where no loss depends on it."""
    return torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
