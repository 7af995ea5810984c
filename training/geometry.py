"""A configuration as the network needs it: mask and cells, the planes in use, the index of its moves."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from functools import cache
from typing import Final

import torch
from torch import Tensor

from engine.boards import board
from engine.config import Config
from engine.features import SEATS, frame
from training.move_index import MoveIndex

SEAT_PLANES: Final = 6
"""Planes of each seat, which come first (`engine.features`)."""

LOCAL_PLANES: Final = SEATS * SEAT_PLANES + 2
"""Planes that differ from cell to cell; each of the others holds one number on the whole board."""


@dataclass(frozen=True, kw_only=True)
class Geometry:
    """The properties of a configuration that the network needs."""

    players: int
    hexagonal: bool
    mask: Tensor  # float32[1, 1, H, W]: 1 on cells
    cells: Tensor  # int64[cells]: square y * W + x of each cell
    local: Tensor  # int64[k]: the planes that differ from cell to cell and are in use for this number of players
    index: MoveIndex

    @classmethod
    @cache
    @torch.inference_mode(False)  # tensors made in inference mode cannot be used in training later
    def of(cls, config: Config) -> Geometry:
        """Return the geometry of a configuration, on the CPU."""
        square = frame(config.board)
        cells = torch.tensor(square.grid.tolist())
        seats = range(config.players * SEAT_PLANES)
        return cls(
            players=config.players,
            hexagonal=len(board(config.board).directions) == 6,
            mask=torch.tensor(square.mask.tolist())[None, None],
            cells=cells,
            local=torch.tensor([*seats, LOCAL_PLANES - 2, LOCAL_PLANES - 1]),
            index=MoveIndex.of(cells, square.side * square.side),
        )

    def mean(self, x: Tensor) -> Tensor:
        """Return float32[N, channels]: the mean of float32[N, channels, H, W] over the cells."""
        return (x * self.mask).sum(dim=(2, 3)) / len(self.cells)

    def peak(self, x: Tensor) -> Tensor:
        """Return float32[N, channels]: the greatest of float32[N, channels, H, W] over the cells, and of 0."""
        return (x * self.mask).amax(dim=(2, 3))


def geometry_on(geometry: Geometry, device: str, dtype: torch.dtype) -> Geometry:
    """Return a geometry whose tensors are on a device, the mask with the type of the network's numbers."""
    index = {field.name: getattr(geometry.index, field.name).to(device) for field in fields(MoveIndex)}
    return replace(
        geometry,
        mask=geometry.mask.to(device, dtype),
        cells=geometry.cells.to(device),
        local=geometry.local.to(device),
        index=MoveIndex(**index),
    )
