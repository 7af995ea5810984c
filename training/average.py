"""The exponential moving average of a network's weights, which plays better than the weights of the last step."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

from training.network import Network


class Average:
    """A moving average over about 1 / (1 - decay) steps, and over all steps while there are fewer."""

    def __init__(self, network: Network, decay: float) -> None:
        """Begin with the network's current weights."""
        self._decay, self._steps = decay, 0
        self._live: list[Tensor] = list(network.parameters())
        self._means = [parameter.detach().clone() for parameter in self._live]

    @torch.no_grad()
    def resume(self, means: Iterable[Tensor], steps: int) -> None:
        """Go on from an average that was made over `steps` steps."""
        self._steps = steps
        self._means = [mean.detach().clone() for mean in means]

    @torch.no_grad()
    def update(self) -> None:
        """Add the network's current weights to the average."""
        self._steps += 1
        share = max(1.0 - self._decay, 1.0 / (1 + self._steps))
        torch._foreach_lerp_(self._means, self._live, share)

    def copy(self) -> list[Tensor]:
        """Return a copy of the average, in the order of the network's parameters."""
        return [mean.clone() for mean in self._means]

    @torch.no_grad()
    def store(self) -> None:
        """Overwrite the network's weights with the average."""
        for parameter, mean in zip(self._live, self._means, strict=True):
            parameter.copy_(mean)
