"""Matrices in a row of floats: what the layers of a network need, in C++ for CPUs and with NumPy in plain Python.

A matrix is `rows` runs of `width` numbers, one after the other, `width` a multiple of 16. `memory` is the row that
holds them, and places in it are counted in numbers. Each output is a sum of its own, made in the order of the inputs,
so results do not depend on the width of the processor's vectors.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from engine.backend.dialect import Floats, Ints, native

VECTOR: Final = 16
"""The numbers of one vector; all widths are multiples of it."""

BLOCK: Final = 8
"""Rows that are multiplied together; a matrix of so many rows, or a multiple, is multiplied fastest."""

# Vectors may begin anywhere in memory: aligned(4).
_PRELUDE: Final = """
    typedef float Vector __attribute__((vector_size(64), aligned(4)));
    auto vector = [](float* place) -> Vector& { return *(Vector*)place; };
"""

# Products are summed in blocks whose sums, [height][vectors], stay in registers; so loops over them are unrolled. A
# function has a lambda `block(sums, place, column)` for one block, and calls it for all columns of its matrix.
_BLOCKS: Final = (
    _PRELUDE
    + """
    typedef float Sum __attribute__((vector_size(64)));
    #define EACH(i, count) _Pragma("clang loop unroll(full)") for (int i = 0; i < count; ++i)
    #define ALL_COLUMNS(height, place) { \\
        int column = 0; \\
        for (; column + 32 <= width; column += 32) { Sum sums[height][2]; block(sums, place, column); } \\
        for (; column < width; column += 16) { Sum sums[height][1]; block(sums, place, column); } \\
    }
"""
)


def _floats(row: Floats) -> NDArray[Any]:
    return np.asarray(row)


def _matrix(memory: Floats, start: int, rows: int, width: int) -> NDArray[Any]:
    return _floats(memory)[start : start + rows * width].reshape(rows, width)


def _clear(memory: Floats, start: int, count: int) -> None:
    _floats(memory)[start : start + count] = 0.0


@native(
    _PRELUDE
    + """
    for (int at = start; at < start + count; at += 16) vector(memory.data + at) = Vector{};
""",
    _clear,
)
def clear(memory: Floats, start: int, count: int) -> None:
    """Set `count` numbers, a multiple of 16, to 0."""


def _set_rows(source: Floats, start: int, memory: Floats, target: int, rows: int, width: int) -> None:
    _matrix(memory, target, rows, width)[:] = _floats(source)[start : start + width]


@native(
    _PRELUDE
    + """
    for (int column = 0; column < width; column += 16) {
        const Vector value = vector(source.data + start + column);
        for (int row = 0; row < rows; ++row) vector(memory.data + target + row * width + column) = value;
    }
""",
    _set_rows,
)
def set_rows(source: Floats, start: int, memory: Floats, target: int, rows: int, width: int) -> None:
    """Set every row of the matrix at `target` to the numbers of `source` from `start` on."""


def _rectify(memory: Floats, source: int, added: int, target: int, rows: int, width: int) -> None:
    vector = _floats(memory)[added : added + width]
    _matrix(memory, target, rows, width)[:] = np.maximum(_matrix(memory, source, rows, width) + vector, 0.0)


@native(
    _PRELUDE
    + """
    for (int column = 0; column < width; column += 16) {
        const Vector extra = vector(memory.data + added + column);
        for (int at = column; at < rows * width; at += width) {
            const Vector sum = vector(memory.data + source + at) + extra;
            vector(memory.data + target + at) = sum > 0.0f ? sum : Vector{};
        }
    }
""",
    _rectify,
)
def rectify(memory: Floats, source: int, added: int, target: int, rows: int, width: int) -> None:
    """Write max(0, row + the vector at `added`), for each row of the matrix at `source`, to the one at `target`."""


def _pool_rows(memory: Floats, source: int, rows: int, width: int, target: int) -> None:
    rectified = np.maximum(_matrix(memory, source, rows, width), 0.0)
    _floats(memory)[target : target + width] = rectified.sum(axis=0) / np.float32(rows)


@native(
    _PRELUDE
    + """
    for (int column = 0; column < width; column += 16) {
        Vector sum = {};
        for (int at = column; at < rows * width; at += width) {
            const Vector value = vector(memory.data + source + at);
            sum += value > 0.0f ? value : Vector{};
        }
        vector(memory.data + target + column) = sum / (float)rows;
    }
""",
    _pool_rows,
)
def pool_rows(memory: Floats, source: int, rows: int, width: int, target: int) -> None:
    """Write the mean of max(0, row) over the rows of the matrix at `source` to the vector at `target`."""


def _find_peaks(memory: Floats, source: int, rows: int, width: int, target: int) -> None:
    peaks = _matrix(memory, source, rows, width).max(axis=0)
    _floats(memory)[target : target + width] = np.maximum(peaks, 0.0)


@native(
    _PRELUDE
    + """
    for (int column = 0; column < width; column += 16) {
        Vector peak = {};
        for (int at = column; at < rows * width; at += width) {
            const Vector value = vector(memory.data + source + at);
            peak = value > peak ? value : peak;
        }
        vector(memory.data + target + column) = peak;
    }
""",
    _find_peaks,
)
def find_peaks(memory: Floats, source: int, rows: int, width: int, target: int) -> None:
    """Write the greatest of 0 and each column of the matrix at `source` to the vector at `target`."""


def _add_products(
    memory: Floats,
    source: int,
    stride: int,
    inputs: int,
    weights: Floats,
    at: int,
    indices: Ints,
    table: int,
    taps: int,
    target: int,
    rows: int,
    width: int,
) -> None:
    index = np.asarray(indices)[table : table + rows * taps].reshape(rows, taps)
    factors = _floats(weights)[at : at + taps * inputs * width].reshape(taps * inputs, width)
    gathered = _floats(memory)[source + index[:, :, None] * stride + np.arange(inputs)]
    _matrix(memory, target, rows, width)[:] += gathered.reshape(rows, taps * inputs) @ factors


@native(
    _BLOCKS
    + """
    // sums: of a block of rows, [rows][vectors]
    auto block = [&](auto& sums, int row, int column) __attribute__((always_inline)) {
        constexpr int height = sizeof(sums) / sizeof(sums[0]), vectors = sizeof(sums[0]) / sizeof(Sum);
        float* out = memory.data + target + row * width + column;
        EACH(r, height) EACH(v, vectors) sums[r][v] = vector(out + r * width + 16 * v);
        for (int tap = 0; tap < taps; ++tap) {
            const float* from[height];
            EACH(r, height) from[r] = memory.data + source + indices.data[table + (row + r) * taps + tap] * stride;
            float* factors = weights.data + at + tap * inputs * width + column;
            for (int i = 0; i < inputs; ++i, factors += width) {
                EACH(v, vectors) {
                    const Vector factor = vector(factors + 16 * v);
                    EACH(r, height) sums[r][v] += factor * from[r][i];
                }
            }
        }
        EACH(r, height) EACH(v, vectors) vector(out + r * width + 16 * v) = sums[r][v];
    };
    int row = 0;
    for (; row + 8 <= rows; row += 8) ALL_COLUMNS(8, row)
    for (; row < rows; ++row) ALL_COLUMNS(1, row)
""",
    _add_products,
)
def add_products(
    memory: Floats,
    source: int,
    stride: int,
    inputs: int,
    weights: Floats,
    at: int,
    indices: Ints,
    table: int,
    taps: int,
    target: int,
    rows: int,
    width: int,
) -> None:
    """Add to row r of the matrix at `target`, for each tap t, row index[r, t] of the source times the weights of t.

    A row of the source is `inputs` numbers, and rows are `stride` numbers apart. The indices, [rows, taps], begin at
    `table`; the weights, [taps, inputs, width], at `at`.
    """


def _add_rows(memory: Floats, source: int, rows: int, width: int, sums: Floats, at: int) -> None:
    _floats(sums)[at : at + width] += _matrix(memory, source, rows, width).sum(axis=0)


@native(
    _PRELUDE
    + """
    for (int column = 0; column < width; column += 16) {
        Vector sum = {};
        for (int row = column; row < rows * width; row += width) sum += vector(memory.data + source + row);
        vector(sums.data + at + column) += sum;
    }
""",
    _add_rows,
)
def add_rows(memory: Floats, source: int, rows: int, width: int, sums: Floats, at: int) -> None:
    """Add the sum of the rows of the matrix at `source` to the vector at `at` of `sums`.

    That is also the gradient of `set_rows`.
    """


def _rectify_gradient(
    memory: Floats, source: int, added: int, target: int, changes: int, rows: int, width: int
) -> None:
    passed = np.where(_matrix(memory, target, rows, width) > 0.0, _matrix(memory, changes, rows, width), 0.0)
    _matrix(memory, source, rows, width)[:] += passed
    _floats(memory)[added : added + width] += passed.sum(axis=0)


@native(
    _PRELUDE
    + """
    for (int column = 0; column < width; column += 16) {
        Vector sum = {};
        for (int at = column; at < rows * width; at += width) {
            const Vector change = vector(memory.data + changes + at);
            const Vector passed = vector(memory.data + target + at) > 0.0f ? change : Vector{};
            vector(memory.data + source + at) += passed;
            sum += passed;
        }
        vector(memory.data + added + column) += sum;
    }
""",
    _rectify_gradient,
)
def rectify_gradient(memory: Floats, source: int, added: int, target: int, changes: int, rows: int, width: int) -> None:
    """Add the gradient of `rectify`, whose result is at `target` and whose result's gradient is at `changes`.

    `source` and `added` are the places of the gradients.
    """


def _pool_gradient(memory: Floats, source: int, rows: int, width: int, changes: int, gradient: int) -> None:
    share = _floats(memory)[changes : changes + width] / np.float32(rows)
    _matrix(memory, gradient, rows, width)[:] += np.where(_matrix(memory, source, rows, width) > 0.0, share, 0.0)


@native(
    _PRELUDE
    + """
    for (int column = 0; column < width; column += 16) {
        const Vector share = vector(memory.data + changes + column) / (float)rows;
        for (int at = column; at < rows * width; at += width)
            vector(memory.data + gradient + at) += vector(memory.data + source + at) > 0.0f ? share : Vector{};
    }
""",
    _pool_gradient,
)
def pool_gradient(memory: Floats, source: int, rows: int, width: int, changes: int, gradient: int) -> None:
    """Add the gradient of `pool_rows` to the matrix at `gradient`; that of the means is at `changes`."""


def _peak_gradient(memory: Floats, source: int, rows: int, width: int, peaks: int, changes: int, gradient: int) -> None:
    peak, change = (_floats(memory)[place : place + width] for place in (peaks, changes))
    highest = (_matrix(memory, source, rows, width) == peak) & (peak > 0.0)
    share = change / np.maximum(highest.sum(axis=0), 1).astype(np.float32)
    _matrix(memory, gradient, rows, width)[:] += np.where(highest, share, 0.0)


@native(
    _PRELUDE
    + """
    const Vector one = Vector{} + 1.0f;
    for (int column = 0; column < width; column += 16) {
        const Vector peak = vector(memory.data + peaks + column);
        Vector count = {};
        for (int at = column; at < rows * width; at += width)
            count += vector(memory.data + source + at) == peak ? one : Vector{};
        const Vector share = peak > 0.0f ? vector(memory.data + changes + column) / count : Vector{};
        for (int at = column; at < rows * width; at += width)
            vector(memory.data + gradient + at) += vector(memory.data + source + at) == peak ? share : Vector{};
    }
""",
    _peak_gradient,
)
def peak_gradient(memory: Floats, source: int, rows: int, width: int, peaks: int, changes: int, gradient: int) -> None:
    """Add the gradient of `find_peaks` to the matrix at `gradient`: equal peaks of a column share it.

    The peaks are at `peaks`, their gradient at `changes`. A peak of 0 passes nothing on.
    """


def _add_outer_products(
    memory: Floats,
    source: int,
    stride: int,
    inputs: int,
    indices: Ints,
    table: int,
    taps: int,
    changes: int,
    rows: int,
    width: int,
    gradient: Floats,
    at: int,
) -> None:
    index = np.asarray(indices)[table : table + rows * taps].reshape(rows, taps)
    gathered = _floats(memory)[source + index[:, :, None] * stride + np.arange(inputs)]
    products = gathered.reshape(rows, taps * inputs).T @ _matrix(memory, changes, rows, width)
    _floats(gradient)[at : at + taps * inputs * width] += products.ravel()


@native(
    _BLOCKS
    + """
    int tap = 0;
    // sums: the gradients of a block of weights, [inputs][vectors]
    auto block = [&](auto& sums, int input, int column) __attribute__((always_inline)) {
        constexpr int height = sizeof(sums) / sizeof(sums[0]), vectors = sizeof(sums[0]) / sizeof(Sum);
        float* out = gradient.data + at + (tap * inputs + input) * width + column;
        EACH(i, height) EACH(v, vectors) sums[i][v] = Sum{};
        for (int row = 0; row < rows; ++row) {
            const float* from = memory.data + source + input + indices.data[table + row * taps + tap] * stride;
            float* change = memory.data + changes + row * width + column;
            EACH(v, vectors) {
                const Vector factor = vector(change + 16 * v);
                EACH(i, height) sums[i][v] += factor * from[i];
            }
        }
        EACH(i, height) EACH(v, vectors) vector(out + i * width + 16 * v) += sums[i][v];
    };
    for (; tap < taps; ++tap) {
        int input = 0;
        for (; width == 16 && input + 16 <= inputs; input += 16) { Sum sums[16][1]; block(sums, input, 0); }
        for (; input + 8 <= inputs; input += 8) ALL_COLUMNS(8, input)
        for (; input + 4 <= inputs; input += 4)
            for (int column = 0; column < width; column += 16) { Sum sums[4][1]; block(sums, input, column); }
        for (; input < inputs; ++input)
            for (int column = 0; column < width; column += 16) { Sum sums[1][1]; block(sums, input, column); }
    }
""",
    _add_outer_products,
)
def add_outer_products(
    memory: Floats,
    source: int,
    stride: int,
    inputs: int,
    indices: Ints,
    table: int,
    taps: int,
    changes: int,
    rows: int,
    width: int,
    gradient: Floats,
    at: int,
) -> None:
    """Add the gradient of the weights of `add_products`, whose result's gradient is the matrix at `changes`.

    It is laid out like the weights and begins at `at` of `gradient`.
    """
