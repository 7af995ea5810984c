"""Weights of format 1, whose value head was smaller, made weights of today's network that compute the same.

In format 1 the value head took the means of the channels alone and had one layer of 32 units. Today's has two layers
of twice as many units and takes the greatest activations too. The old units are copied, and the second layer passes
them on; new units have random inputs, the same in every model, and no influence on the outcome until they are trained.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import torch
from torch import Tensor

from training.network import Network

UNITS: Final = 32
"""Units of the value head in format 1."""

_NAMES: Final = ("value_hidden.weight", "value_hidden.bias", "winner.weight", "margin.weight")
_SEED: Final = 1


def shapes_of_format_1(network: Network) -> dict[str, torch.Size]:
    """Return the shapes of the weights of format 1, by name, for the architecture of a network."""
    shapes = {name: tensor.shape for name, tensor in network.state_dict().items() if "value_second" not in name}
    channels, inputs = network.entry.weight.shape[0], network.value_hidden.in_features
    shapes["value_hidden.weight"] = torch.Size((UNITS, inputs - channels))
    shapes["value_hidden.bias"] = torch.Size((UNITS,))
    for head in ("winner", "margin"):
        shapes[f"{head}.weight"] = torch.Size((shapes[f"{head}.weight"][0], UNITS))
    return shapes


@torch.no_grad()
def migrate_format_1(weights: Mapping[str, Tensor], network: Network) -> dict[str, Tensor]:
    """Return weights of format 1 as weights of `network`, which then gives the same answers as the old one did."""
    channels = network.entry.weight.shape[0]
    random = torch.Generator().manual_seed(_SEED)
    migrated = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    migrated.update({name: tensor for name, tensor in weights.items() if name not in _NAMES})
    hidden, second = migrated["value_hidden.weight"], migrated["value_second.weight"]
    for layer in (hidden, second):
        layer.normal_(0.0, layer.shape[1] ** -0.5, generator=random)
    old = weights["value_hidden.weight"]
    hidden[:UNITS] = 0.0
    hidden[:UNITS, :channels] = old[:, :channels]
    hidden[:UNITS, 2 * channels :] = old[:, channels:]
    second[:UNITS] = 0.0
    second[:UNITS, :UNITS] = torch.eye(UNITS)
    migrated["value_hidden.bias"].zero_()[:UNITS] = weights["value_hidden.bias"]
    migrated["value_second.bias"].zero_()
    for head in ("winner", "margin"):
        migrated[f"{head}.weight"].zero_()[:, :UNITS] = weights[f"{head}.weight"]
    return migrated
