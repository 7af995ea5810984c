"""The network as the callback of a search."""

from __future__ import annotations

import numpy as np
import torch

from engine.search import EvalBatch, Evaluation
from training.geometry import Geometry
from training.network import Network, move_logits, seat_values


class NetworkEvaluator:
    """A callback for `gumbel_search` that runs a network on the CPU, in the calling thread."""

    def __init__(self, network: Network) -> None:
        self._network = network.eval()

    @torch.inference_mode()
    def __call__(self, batch: EvalBatch) -> Evaluation:
        geometry = Geometry.of(batch.config)
        planes = torch.from_numpy(batch.planes)
        rows = torch.from_numpy(np.repeat(np.arange(len(planes)), np.diff(batch.offsets)))
        heads = self._network(planes, torch.from_numpy(batch.scalars), geometry)
        logits = move_logits(heads, geometry.index, rows, torch.from_numpy(batch.moves))
        return Evaluation(logits.numpy(), seat_values(heads.winner).numpy())
