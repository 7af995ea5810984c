"""An NNUE network in torch, with float weights that are shared while it is trained, and its integers."""

from __future__ import annotations

from typing import Final

import numpy as np
import torch
import torch.nn.functional as functional
from torch import Tensor, nn

from engine.backend.rows import HIDDEN
from engine.boards import board
from engine.features import SEATS
from engine.nnue.features import BUCKETS, COUNTS, KINDS, feature_count
from engine.nnue.network import Nnue, largest_sum

LIMIT: Final = 1.0
"""No weight of the first layer is larger, so that a unit that is full at 1 has at least 64 steps on every board."""

_TOP_BITS: Final = 10
_PLAYERS: Final = 3


class NnueModel(nn.Module):
    """A network for one board.

    The weight of a feature of a cell is one for the cell, plus one for its content on any cell; that of a bucket is one
    for the bucket, plus a slope times the bucket. So features that are seldom set learn from those that are like them.
    """

    def __init__(self, board_name: str, width: int) -> None:
        super().__init__()
        self.board = board_name
        self.cells = nn.Parameter(torch.zeros(len(board(board_name).cells), SEATS * KINDS, width))
        self.contents = nn.Parameter(torch.randn(SEATS * KINDS, width) * 0.05)
        self.buckets = nn.Parameter(torch.zeros(SEATS * COUNTS, BUCKETS, width))
        self.slopes = nn.Parameter(torch.randn(SEATS * COUNTS, 1, width) * 0.2)
        self.players = nn.Parameter(torch.zeros(_PLAYERS, width))
        self.biases = nn.Parameter(torch.full((width,), 0.3))
        self.hidden = nn.Linear(width, HIDDEN)
        self.output = nn.Linear(HIDDEN, 1)

    def table(self) -> Tensor:
        """Return float32[features, width]: the first layer's weights, cut to the limit."""
        width = self.cells.shape[2]
        turn = torch.arange(SEATS * COUNTS) % COUNTS == COUNTS - 1  # the turn is no count, so it has no slope
        rise = torch.linspace(0, 1, BUCKETS)[None, :, None] * ~turn[:, None, None]
        parts = [
            self.cells.new_zeros(1, width),
            (self.cells + self.contents).reshape(-1, width),
            (self.buckets + self.slopes * rise).reshape(-1, width),
            self.players,
        ]
        return torch.cat(parts).clamp(-LIMIT, LIMIT)

    def forward(self, features: Tensor) -> Tensor:
        """Return float32[N, P], the logits of players 1 .. P, of int[N, P, slots]."""
        positions, players, slots = features.shape
        sums = functional.embedding_bag(features.reshape(-1, slots), self.table(), mode="sum", padding_idx=0)
        units = (sums + self.biases.clamp(-LIMIT, LIMIT)).clamp(0.0, 1.0)
        logits: Tensor = self.output(self.hidden(units).relu())
        return logits.reshape(positions, players)

    @torch.no_grad()
    def to_integers(self) -> Nnue:
        """Return the network as the engine runs it, with the finest steps at which no sum can overflow."""
        table = self.table().double().numpy()
        biases = self.biases.clamp(-LIMIT, LIMIT).double().numpy()
        top = 1 << _TOP_BITS
        while largest_sum(self.board, np.rint(table * top), np.rint(biases * top)) > 2**15 - 1:
            top //= 2
        layers = np.zeros((len(biases) + 3, HIDDEN), np.float32)
        layers[: len(biases)] = self.hidden.weight.numpy().T / np.float32(top)
        layers[len(biases)] = self.hidden.bias.numpy()
        layers[len(biases) + 1] = self.output.weight.numpy()[0]
        layers[len(biases) + 2, 0] = float(self.output.bias)
        weights = np.rint(table * top).astype(np.int16)
        assert len(weights) == feature_count(self.board)
        return Nnue(self.board, top, weights, np.rint(biases * top).astype(np.int16), layers)
