"""The gradients of all parameters of a network in one array, whatever computes them."""

from __future__ import annotations

import torch
from torch import Tensor

from training.network import Network


class FlatGradients:
    """The gradients of a network on the CPU; `flat` float32[n] has those of all parameters, one after the other."""

    def __init__(self, network: Network) -> None:
        """Take over the `grad` of each of the network's parameters."""
        sizes = [parameter.numel() for parameter in network.parameters()]
        self.flat: Tensor = torch.zeros(sum(sizes))
        self._parts = [
            (parameter, part.view(parameter.shape))
            for parameter, part in zip(network.parameters(), torch.split(self.flat, sizes), strict=True)
        ]
        self.take_over()

    def take_over(self) -> None:
        """Make these gradients those of the network's parameters, after others of the same network were."""
        for parameter, part in self._parts:
            parameter.grad = part

    def clip(self, norm: float) -> None:
        """Scale the gradients down to this norm, taken over all of them, if theirs is larger."""
        own = torch.linalg.vector_norm(self.flat)
        self.flat.mul_((norm / (own + 1e-6)).clamp(max=1.0))
