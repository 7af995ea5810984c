"""A trial of a network that comes from elsewhere: whether it answers for a configuration, and with numbers."""

from __future__ import annotations

import torch

from engine.config import Config
from training.geometry import Geometry
from training.network import Network
from training.onnx_export import OUTPUTS, random_inputs

_POSITIONS = 8


def answers_with_numbers(network: Network, config: Config) -> bool:
    """Return whether all answers of the network for random inputs are finite: weights that are can still overflow."""
    with torch.inference_mode():
        heads = network.eval()(*random_inputs(config, _POSITIONS), Geometry.of(config))
    return all(bool(torch.isfinite(getattr(heads, name)).all()) for name in OUTPUTS)
