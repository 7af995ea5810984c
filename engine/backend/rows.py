"""Operations on whole rows, in C++ with vectors and in plain Python. Both give the same bits, on every machine."""

from __future__ import annotations

from typing import Final

import numpy as np

from engine.backend.dialect import Float, FloatRows, Row, Rows, native

HIDDEN: Final = 16
"""Units of the first of the two layers of `apply_layers`."""

_STREAMS: Final = 4
"""Partial sums of `apply_layers`, which do not wait for each other."""


def _copy_row(source: Row, target: Row) -> None:
    for place in range(target.shape[0]):
        target[place] = source[place]


@native(
    """
    const wp::int16* from = source.data;
    wp::int16* to = target.data;
    const int width = static_cast<int>(target.shape[0]);
    #pragma clang loop vectorize(assume_safety)
    for (int i = 0; i < width; ++i) to[i] = from[i];
""",
    _copy_row,
)
def copy_row(source: Row, target: Row) -> None:
    """Copy a row to another one of the same length."""


def _next_difference(one: Row, other: Row, begin: int, end: int) -> int:
    for place in range(begin, end):
        if one[place] != other[place]:
            return place
    return end


@native(
    """
    const wp::int16* x = one.data;
    const wp::int16* y = other.data;
    int at = begin;
    for (; at + 32 <= end; at += 32) {
        int differs = 0;
        #pragma clang loop vectorize(assume_safety)
        for (int i = 0; i < 32; ++i) differs |= x[at + i] ^ y[at + i];
        if (differs) break;
    }
    while (at < end && x[at] == y[at]) ++at;
    return at;
""",
    _next_difference,
)
def next_difference(one: Row, other: Row, begin: int, end: int) -> int:
    """Return the first place from `begin` at which two rows differ; `end` if there is none before it."""
    return end


def _replace_row(sums: Row, offset: int, table: Rows, old: int, fresh: int) -> None:
    minus, plus = table[old], table[fresh]
    for place in range(table.shape[1]):
        sums[offset + place] = sums[offset + place] + plus[place] - minus[place]


@native(
    """
    const int width = static_cast<int>(table.shape[1]);
    wp::int16* sum = sums.data + offset;
    const wp::int16* minus = table.data + static_cast<size_t>(old) * width;
    const wp::int16* plus = table.data + static_cast<size_t>(fresh) * width;
    #pragma clang loop vectorize(assume_safety)
    for (int i = 0; i < width; ++i) sum[i] = static_cast<wp::int16>(sum[i] + plus[i] - minus[i]);
""",
    _replace_row,
)
def replace_row(sums: Row, offset: int, table: Rows, old: int, fresh: int) -> None:
    """Add row `fresh` of a table to the sums from `offset` on, and subtract row `old`. No sum may leave int16."""


def _apply_layers(sums: Row, offset: int, top: int, layers: FloatRows) -> Float:
    width = layers.shape[0] - 3
    streams = np.zeros((_STREAMS, HIDDEN), np.float32)
    streams[0] = layers[width]
    for place in range(width):
        cut = Float(min(max(sums[offset + place], 0), top))
        streams[place % _STREAMS] += cut * np.asarray(layers[place])
    hidden = (streams[0] + streams[1]) + (streams[2] + streams[3])
    parts = np.maximum(hidden, Float(0.0)) * np.asarray(layers[width + 1])
    while len(parts) > 1:
        parts = parts[: len(parts) // 2] + parts[len(parts) // 2 :]
    return Float(parts[0] + layers[width + 2][0])


# A product and a sum are never contracted to one rounding, which not all machines can do.
@native(
    """
    const int width = static_cast<int>(layers.shape[0]) - 3;
    const wp::int16* sum = sums.data + offset;
    const float* weights = layers.data;
    const float* rest = weights + width * 16;
#ifdef __CUDACC__
    float parts[16];
    for (int j = 0; j < 16; ++j) {
        float a = rest[j], b = 0.0f, c = 0.0f, d = 0.0f;
        for (int i = 0; i < width; i += 4) {
            const float* row = weights + i * 16 + j;
            a = __fadd_rn(a, __fmul_rn(static_cast<float>(min(max(static_cast<int>(sum[i]), 0), top)), row[0]));
            b = __fadd_rn(b, __fmul_rn(static_cast<float>(min(max(static_cast<int>(sum[i + 1]), 0), top)), row[16]));
            c = __fadd_rn(c, __fmul_rn(static_cast<float>(min(max(static_cast<int>(sum[i + 2]), 0), top)), row[32]));
            d = __fadd_rn(d, __fmul_rn(static_cast<float>(min(max(static_cast<int>(sum[i + 3]), 0), top)), row[48]));
        }
        parts[j] = __fmul_rn(fmaxf(__fadd_rn(__fadd_rn(a, b), __fadd_rn(c, d)), 0.0f), rest[16 + j]);
    }
    #pragma unroll
    for (int half = 8; half > 0; half /= 2)
        for (int j = 0; j < half; ++j) parts[j] = __fadd_rn(parts[j], parts[j + half]);
    return __fadd_rn(parts[0], rest[32]);
#else
    typedef float Vector __attribute__((vector_size(64), aligned(4)));
    typedef float Half __attribute__((vector_size(32)));
    typedef wp::int16 Sums __attribute__((vector_size(32), aligned(2)));
    auto run = [&]() __attribute__((min_vector_width(512))) {
        #pragma clang fp contract(off)
        const Vector* row = reinterpret_cast<const Vector*>(weights);
        Vector a = *reinterpret_cast<const Vector*>(rest), b{}, c{}, d{};
        for (int i = 0; i < width; i += 16, row += 16) {
            Sums cut = *reinterpret_cast<const Sums*>(sum + i);
            cut = cut > 0 ? cut : Sums{};
            cut = cut < static_cast<wp::int16>(top) ? cut : Sums{} + static_cast<wp::int16>(top);
            const Vector unit = __builtin_convertvector(cut, Vector);
            #pragma unroll
            for (int k = 0; k < 16; k += 4) {
                a += unit[k] * row[k];
                b += unit[k + 1] * row[k + 1];
                c += unit[k + 2] * row[k + 2];
                d += unit[k + 3] * row[k + 3];
            }
        }
        const Vector hidden = (a + b) + (c + d);
        const Vector parts = (hidden > 0.0f ? hidden : Vector{}) * *reinterpret_cast<const Vector*>(rest + 16);
        const Half eight = __builtin_shufflevector(parts, parts, 0, 1, 2, 3, 4, 5, 6, 7)
            + __builtin_shufflevector(parts, parts, 8, 9, 10, 11, 12, 13, 14, 15);
        const float even = (eight[0] + eight[4]) + (eight[2] + eight[6]);
        const float odd = (eight[1] + eight[5]) + (eight[3] + eight[7]);
        return (even + odd) + rest[32];
    };
    return run();
#endif
""",
    _apply_layers,
)
def apply_layers(sums: Row, offset: int, top: int, layers: FloatRows) -> Float:
    """Return the output of two layers: `HIDDEN` units over the sums from `offset` on, and one unit over those.

    The sums are cut to 0 .. `top`, the hidden units to 0 and above. Each step is rounded to float32.

    Args:
        layers: float32[width + 3, HIDDEN]: the weights of each sum, for a width that is a multiple of 16; the hidden
            units' biases; their weights in the output; and the output's bias, in the first place of the last row.
    """
    return Float(0.0)
