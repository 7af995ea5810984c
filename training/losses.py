"""The losses that training minimises: the network's errors on moves, winner, final territory and final margins."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as functional
from torch import Tensor

from training.geometry import Geometry
from training.network import Network, move_logits


@dataclass(frozen=True, kw_only=True)
class Batch:
    """N positions, each with a choice; seats are relative to the mover."""

    planes: Tensor  # float32[N, planes, H, W]
    scalars: Tensor  # float32[N, scalars]
    rows: Tensor  # int64[M]: the position of each legal move
    places: Tensor  # int64[M]: its place in that position's legal list
    moves: Tensor  # int64[M]: packed
    policy: Tensor  # float32[M]: target probability
    policy_weight: Tensor  # float32[N]: the weight of each position's policy target, 0 if it has none
    winner: Tensor  # float32[N, players]: target probability that the seat wins
    ownership: Tensor  # int64[N, H * W]: final owner, 0 nobody, 1 the mover ...; -1 off the board
    margin: Tensor  # float32[N, players, 2]: final share of the rings and of the territory that win


@dataclass(frozen=True)
class Weights:
    """The weight of each loss."""

    policy: float = 1.0
    winner: float = 1.0
    ownership: float = 0.1
    margin: float = 0.2


def losses(network: Network, geometry: Geometry, batch: Batch) -> dict[str, Tensor]:
    """Return the mean loss of each head, by the names of `Weights`; the policy's over the positions with a target."""
    heads = network(batch.planes, batch.scalars, geometry, auxiliary=True)
    logits = move_logits(heads, geometry.index, batch.rows, batch.moves)
    positions = len(batch.planes)
    width = int(batch.places.max()) + 1
    dense = logits.new_full((positions, width), -torch.inf).index_put((batch.rows, batch.places), logits)
    chosen = dense.log_softmax(dim=1)[batch.rows, batch.places]
    weights = batch.policy_weight[batch.rows] * batch.policy
    winner = -(batch.winner * heads.winner.log_softmax(dim=1)).sum(dim=1).mean()
    assert heads.ownership is not None
    assert heads.margin is not None
    players = batch.margin.shape[1]
    return {
        "policy": -(weights * chosen).sum() / batch.policy_weight.sum().clamp(min=1.0),
        "winner": winner,
        "ownership": functional.cross_entropy(heads.ownership.transpose(1, 2), batch.ownership, ignore_index=-1),
        "margin": functional.smooth_l1_loss(heads.margin[:, :players], batch.margin),
    }


def weigh(parts: dict[str, Tensor], weights: Weights) -> Tensor:
    """Return the weighted sum of the losses, which training minimises."""
    return torch.stack([getattr(weights, name) * loss for name, loss in parts.items()]).sum()
