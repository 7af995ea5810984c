"""Random words and Gumbel noise that depend only on a seed and an action's place in the list of legal moves.

`draw_gumbel` is the same for kernels. Both compute with doubles and round once, so they nearly always agree to the bit;
the logarithms of two libraries may differ in their last one.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine.backend.dialect import Float, Word, func, native
from engine.random import mix

_STEP = np.uint64(0x9E3779B97F4A7C15)
_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)


def stream_words(seeds: NDArray[np.uint64], places: NDArray[np.int64]) -> NDArray[np.uint64]:
    """Return uint64[n]: word `place` of the stream of `seed`, for each (seed, place) pair.

    The streams are SplitMix64's (Steele, Lea and Flood 2014); the words of one stream differ.
    """
    word = seeds + (places.astype(np.uint64) + np.uint64(1)) * _STEP
    word = (word ^ (word >> np.uint64(30))) * _MIX_1
    word = (word ^ (word >> np.uint64(27))) * _MIX_2
    return np.asarray(word ^ (word >> np.uint64(31)), np.uint64)


def gumbel_noise(seeds: NDArray[np.uint64], places: NDArray[np.int64]) -> NDArray[np.float32]:
    """Return float32[n]: standard Gumbel variates, one for each (seed, place) pair, from its word (`stream_words`)."""
    return _gumbel(stream_words(seeds, places))


def _gumbel(words: NDArray[np.uint64]) -> NDArray[np.float32]:
    uniform = ((words >> np.uint64(11)).astype(np.float64) + 0.5) * 2.0**-53
    noise: NDArray[np.float32] = (-np.log(-np.log(uniform))).astype(np.float32)
    return noise


def _gumbel_of_word(word: Word) -> Float:
    return Float(_gumbel(np.array([word], np.uint64))[0])


@native(
    """
    const double uniform = (static_cast<double>(word >> 11) + 0.5) * 0x1p-53;
    return static_cast<float>(-log(-log(uniform)));
""",
    _gumbel_of_word,
)
def gumbel_of_word(word: Word) -> Float:
    """Return the standard Gumbel variate of a random word."""
    return Float(0.0)


@func
def draw_gumbel(seed: Word, place: int) -> Float:
    """Return the variate of a pair as `gumbel_noise` does."""
    return gumbel_of_word(mix(Word(seed + Word(place + 1) * Word(0x9E3779B97F4A7C15))))
