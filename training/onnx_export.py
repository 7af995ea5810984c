"""A network as an ONNX file for one configuration, and the proof that another program computes the same with it."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import torch
from torch import Tensor, nn

from engine.config import Config
from engine.features import PLANES, SCALARS
from training.geometry import Geometry
from training.network import Network

INPUTS: Final = ("planes", "scalars")
OUTPUTS: Final = ("roles", "origin", "landing", "kinds", "winner")
LARGEST_DIFFERENCE: Final = 1e-4
_POSITIONS: Final = 5  # of the check; another number than the one that the file was made with
_SEED: Final = 7


class _OfOneConfiguration(nn.Module):
    """The network with the geometry of one configuration inside: ONNX has no objects to pass."""

    def __init__(self, network: Network, config: Config) -> None:
        super().__init__()
        self._network, self._geometry = network, Geometry.of(config)

    def forward(self, planes: Tensor, scalars: Tensor) -> tuple[Tensor, ...]:
        heads = self._network(planes, scalars, self._geometry)
        return tuple(getattr(heads, name) for name in OUTPUTS)


def write_onnx(network: Network, config: Config, path: Path) -> None:
    """Write the network for one configuration; the number of positions may change from call to call.

    Inputs are `planes` float32[N, PLANES, H, W] and `scalars` float32[N, SCALARS] of `engine.features`, outputs the
    heads of `training.network`. Raise ImportError without the package onnx.
    """
    import onnx  # noqa: F401 - torch says less clearly that it is missing

    names = (*INPUTS, *OUTPUTS)
    torch.onnx.export(
        _OfOneConfiguration(network, config).eval(),
        random_inputs(config, 2),
        str(path),
        input_names=list(INPUTS),
        output_names=list(OUTPUTS),
        dynamic_axes={name: {0: "positions"} for name in names},
        dynamo=False,
    )


def difference(network: Network, config: Config, path: Path) -> float:
    """Return by how much the answers of onnxruntime differ from those of torch at most, over random inputs.

    Raise ImportError without the package onnxruntime.
    """
    import onnxruntime

    inputs = random_inputs(config, _POSITIONS)
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    told = session.run(list(OUTPUTS), {name: value.numpy() for name, value in zip(INPUTS, inputs, strict=True)})
    with torch.inference_mode():
        expected = _OfOneConfiguration(network, config).eval()(*inputs)
    return max(float((torch.from_numpy(a) - b).abs().max()) for a, b in zip(told, expected, strict=True))


def random_inputs(config: Config, positions: int) -> tuple[Tensor, Tensor]:
    """Return planes and scalars of so many made-up positions, the same each time."""
    chance = torch.Generator().manual_seed(_SEED)
    height, width = Geometry.of(config).mask.shape[2:]
    planes = torch.rand(positions, PLANES, height, width, generator=chance)
    return planes, torch.rand(positions, SCALARS, generator=chance)
