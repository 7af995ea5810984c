"""Programs: networks as lists of steps for kernels, with their weights and the memory that they need.

A program is for one configuration. Only the cells of the board are computed, and all numbers of a position stay in one
row of memory.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from engine.backend.launches import aligned_empty
from engine.backend.matrices import BLOCK, VECTOR
from engine.boards import board
from engine.config import Config
from engine.features import PLANES, SCALARS
from training import inference_kernels as kernels
from training.geometry import Geometry

_TAPS: Final = [(x, y) for y in (-1, 0, 1) for x in (-1, 0, 1)]
_HEX_CORNERS: Final = ((-1, -1), (1, 1))
_COLUMN: Final = {
    "source": kernels.SOURCE,
    "stride": kernels.STRIDE,
    "inputs": kernels.INPUTS,
    "weights": kernels.WEIGHTS,
    "table": kernels.TABLE,
    "taps": kernels.TAPS,
}


@dataclass(frozen=True, kw_only=True)
class Program:
    """A network for one configuration, as `training.inference_kernels` runs it."""

    grid: NDArray[np.int32]  # [cells]: where the planes of each cell begin in memory
    features: int  # numbers of memory that the features take
    steps: NDArray[np.int32]  # [steps, kernels.COLUMNS]
    indices: NDArray[np.int32]
    weights: NDArray[Any]  # float32 to run it
    answers: NDArray[np.int32]  # [kernels.ANSWERS]
    memory: int  # numbers of working memory


@dataclass(frozen=True)
class Inputs:
    """Inputs of a layer, or a part of them: `count` numbers of each row, the first row at `start`."""

    start: int
    stride: int
    count: int


@dataclass(frozen=True)
class Matrix:
    """Rows in memory. Beyond the columns, up to a multiple of VECTOR, each row has zeros."""

    start: int
    rows: int
    columns: int

    @property
    def width(self) -> int:
        """Numbers of memory that a row takes."""
        return ceiling(self.columns, VECTOR)

    @property
    def inputs(self) -> Inputs:
        """All columns as inputs of a layer."""
        return self.part(0, self.columns)

    def part(self, first: int, count: int) -> Inputs:
        """Return `count` columns as inputs of a layer."""
        return Inputs(self.start + first, self.width, count)


class Writer:
    """Writes the steps of a program, gives out its memory and lays out its weights.

    Each layer writes into memory of its own. What nothing reads any more is released, and its memory used again.
    """

    def __init__(self, config: Config, dtype: type[np.generic] = np.float32) -> None:
        """Begin a program whose weights are numbers of this type, as are those of the layers that it is given."""
        self.geometry = Geometry.of(config)
        self._config = config
        self._cells = len(board(config.board).cells)
        self._rows = ceiling(self._cells, BLOCK)  # of a board in memory; then follows a row of zeros
        self._memory = 0
        self._released: defaultdict[tuple[int, int], list[int]] = defaultdict(list)  # starts by rows and width
        self._zero_vectors: dict[int, Matrix] = {}  # by columns
        self._steps: list[list[int]] = []
        self._dtype = dtype
        self._weights: list[NDArray[Any]] = []
        self._placed = 0  # numbers in _weights
        self._taps = [tap for tap in _TAPS if not (self.geometry.hexagonal and tap in _HEX_CORNERS)]
        # the rows from which a layer takes its inputs: from the same row, or from those of the neighbours
        self._indices = np.concatenate([np.arange(self._rows), self._neighbours().ravel()]).astype(np.int32)
        self.scalars = self.new_vector(SCALARS)  # at 0, where the kernel writes them
        self.planes = self._new(self._rows + 1, PLANES)
        self.features = self._memory

    def _neighbours(self) -> NDArray[np.int64]:
        """Return [rows, taps]: the row of each neighbour, that of the zeros beyond the edge."""
        shape = board(self._config.board)
        near = np.full((self._rows, len(self._taps)), self._rows)
        for cell in range(self._cells):
            found = [shape.neighbour(cell, tap) for tap in self._taps]
            near[cell] = [self._rows if other == self._cells else other for other in found]
        return near

    def new_vector(self, columns: int) -> Matrix:
        """Return memory for one row."""
        return self._reuse(1, columns) or self._new(1, columns)

    def new_board(self, columns: int) -> Matrix:
        """Return memory for a row for each cell, behind which there is a row of zeros."""
        reused = self._reuse(self._rows, columns)
        if reused is not None:
            return reused
        made = self._new(self._rows + 1, columns)
        self.start(replace(made, start=made.start + self._rows * made.width, rows=1))
        return replace(made, rows=self._rows)

    def release(self, *matrices: Matrix) -> None:
        """Let other matrices have the memory of these, whose numbers no step will read any more."""
        for matrix in matrices:
            self._released[matrix.rows, matrix.width].append(matrix.start)

    def _new(self, rows: int, columns: int) -> Matrix:
        made = Matrix(self._memory, rows, columns)
        self._memory += rows * made.width
        return made

    def _reuse(self, rows: int, columns: int) -> Matrix | None:
        starts = self._released[rows, ceiling(columns, VECTOR)]
        return Matrix(starts.pop(), rows, columns) if starts else None

    def _like(self, matrix: Matrix) -> Matrix:
        """Return memory for a matrix of the same shape."""
        return self.new_vector(matrix.columns) if matrix.rows == 1 else self.new_board(matrix.columns)

    def start(self, target: Matrix, bias: Tensor | None = None) -> None:
        """Set all rows to the bias, or to zero."""
        values = np.zeros(target.width, self._dtype)
        if bias is not None:
            values[: len(bias)] = bias.numpy()
        self._step(kernels.START, target, weights=self._place(values))

    def spread(self, row: Matrix) -> Matrix:
        """Return a board all of whose rows are a vector."""
        made = self.new_board(row.columns)
        self._step(kernels.SPREAD, made, source=row.start)
        return made

    def linear(self, layer: nn.Linear, inputs: Sequence[Inputs]) -> Matrix:
        """Return a vector: a layer's output for the inputs, which are concatenated."""
        made = self.new_vector(layer.out_features)
        self.start(made, layer.bias)
        self._multiply(layer.weight, inputs, made)
        return made

    def linear_board(self, layers: Sequence[nn.Linear], inputs: Matrix) -> Matrix:
        """Return a board: the concatenated outputs of layers for each row of the inputs."""
        made = self.new_board(sum(layer.out_features for layer in layers))
        self.start(made, torch.cat([layer.bias for layer in layers]))
        self._multiply(torch.cat([layer.weight for layer in layers]), [inputs.inputs], made)
        return made

    def linear_rectified(self, layer: nn.Linear, inputs: Matrix, whole: nn.Linear, pooled: Sequence[Inputs]) -> Matrix:
        """Return a board: max(0, a layer's output for each row + the output of another for what the rows share)."""
        row = self.new_vector(whole.out_features)
        self.start(row, whole.bias + layer.bias)  # once, and not for every row
        self._multiply(whole.weight, pooled, row)
        sums = self.spread(row)
        self._multiply(layer.weight, [inputs.inputs], sums)
        made = self.rectify(sums)
        self.release(row, sums)
        return made

    def _multiply(self, weight: Tensor, inputs: Sequence[Inputs], target: Matrix) -> None:
        """Add the products of the inputs' rows and a weight [outputs, inputs]."""
        first = 0
        for part in inputs:
            columns = weight[:, first : first + part.count]
            self._product(columns[:, :, None], part, target, table=0)
            first += part.count

    def convolve(self, weight: Tensor, inputs: Inputs, target: Matrix) -> None:
        """Add the convolution of the inputs with a weight [outputs, inputs, 3, 3]."""
        taps = [weight[:, :, y + 1, x + 1] for x, y in self._taps]
        self._product(torch.stack(taps, dim=2), inputs, target, table=self._rows)

    def _product(self, weight: Tensor, inputs: Inputs, target: Matrix, table: int) -> None:
        """Add the products of inputs and a weight [outputs, inputs, taps]."""
        outputs, count, taps = weight.shape
        values = np.zeros((taps, count, target.width), self._dtype)
        values[:, :, :outputs] = weight.permute(2, 1, 0).numpy()
        self._step(
            kernels.PRODUCT,
            target,
            source=inputs.start,
            stride=inputs.stride,
            inputs=count,
            weights=self._place(values),
            table=table,
            taps=taps,
        )

    def rectify(self, source: Matrix, added: Matrix | None = None) -> Matrix:
        """Return max(0, row of the source + a vector) for each row; without a vector, max(0, row)."""
        if added is None:
            added = self._zeros(source.columns)
        made = self._like(source)
        self._step(kernels.RECTIFY, made, source=source.start, weights=added.start)
        return made

    def pool(self, source: Matrix) -> Matrix:
        """Return a vector: the mean of max(0, row) over the rows of the cells."""
        return self._summarise(kernels.POOL, source)

    def find_peaks(self, source: Matrix) -> Matrix:
        """Return a vector: the greatest of 0 and each column over the rows of the cells."""
        return self._summarise(kernels.PEAK, source)

    def _summarise(self, operation: int, source: Matrix) -> Matrix:
        made = self.new_vector(source.columns)
        self._step(operation, replace(made, rows=self._cells), source=source.start)
        return made

    def _zeros(self, columns: int) -> Matrix:
        """Return a vector of zeros, the same for each number of columns."""
        if columns not in self._zero_vectors:
            self._zero_vectors[columns] = self.new_vector(columns)
            self.start(self._zero_vectors[columns])
        return self._zero_vectors[columns]

    def _step(self, operation: int, target: Matrix, **others: int) -> None:
        step = [0] * kernels.COLUMNS
        step[kernels.OPERATION] = operation
        step[kernels.TARGET], step[kernels.ROWS], step[kernels.WIDTH] = target.start, target.rows, target.width
        for name, value in others.items():
            step[_COLUMN[name]] = value
        self._steps.append(step)

    def _place(self, values: NDArray[Any]) -> int:
        """Take values up into the weights and return their place."""
        self._weights.append(values.ravel())
        self._placed += values.size
        return self._placed - values.size

    def finish(self, answers: Mapping[int, int]) -> Program:
        """Return the program; `answers` tells where each answer is."""
        weights = aligned_empty((self._placed,), self._dtype)
        np.concatenate(self._weights, out=weights)
        return Program(
            grid=(self.planes.start + self.planes.width * np.arange(self._cells)).astype(np.int32),
            features=self.features,
            steps=np.array(self._steps, np.int32),
            indices=self._indices,
            weights=weights,
            answers=np.array([answers[place] for place in range(kernels.ANSWERS)], np.int32),
            memory=self._memory,
        )


def ceiling(number: int, unit: int) -> int:
    """Return the least multiple of the unit that is not below the number."""
    return -(-number // unit) * unit


def runs(places: Sequence[int]) -> list[tuple[int, int]]:
    """Return (first, count) of each run of consecutive numbers.

    >>> runs([0, 1, 2, 7, 8])
    [(0, 3), (7, 2)]
    """
    starts = [i for i, place in enumerate(places) if i == 0 or place != places[i - 1] + 1]
    return [(places[first], end - first) for first, end in pairwise([*starts, len(places)])]
