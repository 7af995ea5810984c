"""The network: a small masked convolutional trunk with global pooling, and heads for moves and seats.

One set of weights serves every board and player count. Boards are embedded in an H x W square with a mask; hex
boards use 3x3 kernels with two corners masked, since axial coordinates have six neighbours; planes and seats are
relative to the player to move. There are no normalisation layers: residual branches start at zero, so training is
stable and inference does not depend on the batch. Global pooling and the auxiliary heads follow Wu 2019,
"Accelerating self-play learning in Go".
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

import torch
import torch.nn.functional as functional
from torch import Tensor, nn

from engine.features import PLANES, SCALARS, SEATS
from engine.search import VALUE_SCALE
from training.geometry import LOCAL_PLANES, Geometry
from training.move_index import KINDS, ROLES, MoveIndex

_EMBEDDING: Final = 8
_HIDDEN: Final = 64
_ARCHITECTURE: Final = re.compile(r"c([1-9][0-9]{0,2})b([1-9][0-9]?)")


@dataclass(frozen=True, kw_only=True)
class Heads:
    """The network's output for N positions. Seats are relative to the mover, which has index 0."""

    roles: Tensor  # float32[N, H * W + 1, ROLES]; here and in the next two, the last square means "none" and is 0
    origin: Tensor  # float32[N, H * W + 1, embedding]
    landing: Tensor  # float32[N, H * W + 1, embedding]
    kinds: Tensor  # float32[N, KINDS]
    winner: Tensor  # float32[N, players]: logits that the seat wins
    ownership: Tensor | None  # float32[N, H * W, 1 + SEATS]: logits of the square's final owner, 0 = nobody
    margin: Tensor | None  # float32[N, SEATS, 2]: final share of the rings and the territory that win


def parse_architecture(name: str) -> tuple[int, int]:
    """Return (channels, blocks) of a name such as "c16b2". Raise ValueError if it is not a known architecture."""
    match = _ARCHITECTURE.fullmatch(name)
    if match is None or not (4 <= int(match[1]) <= 256 and int(match[2]) <= 20):
        raise ValueError(f"unknown architecture {name!r}: expected c<4..256>b<1..20>, for example c16b2")
    return int(match[1]), int(match[2])


class Convolution(nn.Module):
    """A 3x3 convolution whose two corners (-1,-1) and (1,1) count as zero on hex boards."""

    corners: Tensor

    def __init__(self, inputs: int, outputs: int, *, scale: float = 1.0) -> None:
        super().__init__()
        deviation = scale * (2.0 / (9 * inputs)) ** 0.5
        self.weight = nn.Parameter(torch.randn(outputs, inputs, 3, 3) * deviation)
        corners = torch.ones(3, 3)
        corners[0, 0] = corners[2, 2] = 0.0
        self.register_buffer("corners", corners, persistent=False)

    def forward(self, x: Tensor, hexagonal: bool, inputs: Tensor | None = None) -> Tensor:
        """Convolve x, whose channels are the layer's inputs, or those that `inputs` lists."""
        weight = self.weight if inputs is None else self.weight[:, inputs]
        weight = weight * self.corners if hexagonal else weight
        convolved: Tensor = functional.conv2d(x, weight, padding=1)
        return convolved


class ResidualBlock(nn.Module):
    """A residual block that adds to its hidden channels a linear function of their means over the board."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = Convolution(channels, channels)
        self.pooled = nn.Linear(channels, channels)
        self.second = Convolution(channels, channels, scale=0.0)

    def forward(self, x: Tensor, geometry: Geometry) -> Tensor:
        hidden = self.first(functional.relu(x) * geometry.mask, geometry.hexagonal)
        mean = geometry.mean(functional.relu(hidden))
        hidden = functional.relu(hidden + self.pooled(mean)[:, :, None, None]) * geometry.mask
        branch: Tensor = self.second(hidden, geometry.hexagonal)
        return x + branch


class Network(nn.Module):
    """The network of an architecture such as "c16b2", for the features of `engine.features`.

    `value_scale` says how far a search should follow its values (`engine.search.Evaluation`).
    """

    def __init__(self, architecture: str) -> None:
        super().__init__()
        channels, blocks = parse_architecture(architecture)
        self.architecture = architecture
        self.value_scale = VALUE_SCALE
        whole = PLANES - LOCAL_PLANES + SCALARS
        self.entry = Convolution(LOCAL_PLANES, channels)
        self.entry_scalars = nn.Linear(whole, channels)
        self.blocks = nn.ModuleList(ResidualBlock(channels) for _ in range(blocks))
        self.policy_hidden = nn.Linear(channels, channels)
        self.policy_pooled = nn.Linear(channels + whole, channels)
        self.policy_roles = nn.Linear(channels, len(ROLES))
        self.policy_origin = nn.Linear(channels, _EMBEDDING)
        self.policy_landing = nn.Linear(channels, _EMBEDDING)
        self.policy_kinds = nn.Linear(channels + whole, KINDS)
        self.value_hidden = nn.Linear(2 * channels + whole, _HIDDEN)
        self.value_second = nn.Linear(_HIDDEN, _HIDDEN)
        self.winner = nn.Linear(_HIDDEN, SEATS)
        self.margin = nn.Linear(_HIDDEN, SEATS * 2)
        self.ownership = nn.Linear(channels, 1 + SEATS)
        for head in (self.policy_kinds, self.winner, self.margin):
            nn.init.zeros_(head.weight)
            nn.init.zeros_(head.bias)

    def forward(self, planes: Tensor, scalars: Tensor, geometry: Geometry, auxiliary: bool = False) -> Heads:
        """Return the heads for planes float32[N, PLANES, H, W] and scalars float32[N, SCALARS]."""
        whole = torch.cat((planes.flatten(2)[:, LOCAL_PLANES:, geometry.cells[0]], scalars), dim=1)
        local = planes[:, geometry.local].contiguous(memory_format=torch.channels_last)
        x = self.entry(local, geometry.hexagonal, geometry.local)
        x = x + self.entry_scalars(whole)[:, :, None, None]
        for block in self.blocks:
            x = block(x, geometry)
        x = functional.relu(x)
        mean = geometry.mean(x)
        pooled = torch.cat((mean, whole), dim=1)
        squares = x.permute(0, 2, 3, 1).flatten(1, 2)  # [N, H * W, channels], without copying
        shaped = functional.relu(self.policy_hidden(squares) + self.policy_pooled(pooled)[:, None])
        hidden = functional.relu(self.value_hidden(torch.cat((mean, geometry.peak(x), whole), dim=1)))
        hidden = functional.relu(self.value_second(hidden))
        return Heads(
            roles=_with_none(self.policy_roles(shaped)),
            origin=_with_none(self.policy_origin(shaped)),
            landing=_with_none(self.policy_landing(shaped)),
            kinds=self.policy_kinds(pooled),
            winner=self.winner(hidden)[:, : geometry.players],
            ownership=self.ownership(squares) if auxiliary else None,
            margin=self.margin(hidden).unflatten(1, (SEATS, 2)) if auxiliary else None,
        )


def _with_none(squares: Tensor) -> Tensor:
    """Return [N, H * W, k] as [N, H * W + 1, k], with zeros for the square that means "none"."""
    return functional.pad(squares, (0, 0, 0, 1))


def move_logits(heads: Heads, index: MoveIndex, rows: Tensor, moves: Tensor) -> Tensor:
    """Return float32[M]: the score of the packed move moves[i] (int64) in position rows[i] (int64)."""
    places = index.locate(moves)
    squares, roles = heads.roles.shape[1:]
    first = rows * squares
    scores = heads.roles.flatten()[(first[:, None] + places.squares) * roles + places.roles].sum(dim=1)
    origin = heads.origin.flatten(0, 1)[first + places.origin]
    landing = heads.landing.flatten(0, 1)[first + places.landing]
    return scores + (origin * landing).sum(dim=1) + heads.kinds[rows, places.kind]


def seat_values(winner: Tensor) -> Tensor:
    """Return values float32[N, P] of winner logits float32[N, P].

    A sure win is +1, a sure loss -1 / (P - 1), equal chances are 0.
    """
    players = winner.shape[1]
    return (winner.softmax(dim=1) * players - 1.0) / (players - 1)
