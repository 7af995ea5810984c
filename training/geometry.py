"""A configuration as the network sees it: mask and cells, the planes in use, where moves are scored."""

from __future__ import annotations

from dataclasses import dataclass
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
"""Planes that differ from cell to cell; those after them hold one number on the whole board."""


@dataclass(frozen=True)
class Geometry:
    """What of a configuration the network needs."""

    players: int
    hexagonal: bool
    mask: Tensor  # float32[1, 1, H, W]: 1 on cells
    cells: Tensor  # int64[cells]: square y * W + x of each cell
    local: Tensor  # int64[k]: the planes that differ from cell to cell and are not empty for so many players
    index: MoveIndex

    @classmethod
    @cache
    @torch.inference_mode(False)  # tensors born in inference mode could not be trained with later
    def of(cls, config: Config) -> Geometry:
        """The geometry of a configuration, on the CPU."""
        lie = frame(config.board)
        cells = torch.tensor(lie.grid.tolist())
        seats = range(config.players * SEAT_PLANES)
        return cls(
            players=config.players,
            hexagonal=len(board(config.board).directions) == 6,
            mask=torch.tensor(lie.mask.tolist())[None, None],
            cells=cells,
            local=torch.tensor([*seats, LOCAL_PLANES - 2, LOCAL_PLANES - 1]),
            index=MoveIndex.of(cells, lie.side * lie.side),
        )

    def mean(self, x: Tensor) -> Tensor:
        """float32[N, channels]: the mean of float32[N, channels, H, W] over the cells."""
        return (x * self.mask).sum(dim=(2, 3)) / len(self.cells)
