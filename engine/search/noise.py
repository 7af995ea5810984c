"""Gumbel noise that depends only on a seed and an action's place in the list of legal moves."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_STEP = np.uint64(0x9E3779B97F4A7C15)
_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)


def gumbel_noise(seeds: NDArray[np.uint64], places: NDArray[np.int64]) -> NDArray[np.float32]:
    """Return float32[n]: standard Gumbel variates, one for each (seed, place) pair.

    The random words are SplitMix64's (Steele, Lea and Flood 2014): word `place` of the stream of `seed`.
    """
    word = seeds + (places.astype(np.uint64) + np.uint64(1)) * _STEP
    word = (word ^ (word >> np.uint64(30))) * _MIX_1
    word = (word ^ (word >> np.uint64(27))) * _MIX_2
    word = word ^ (word >> np.uint64(31))
    uniform = ((word >> np.uint64(11)).astype(np.float64) + 0.5) * 2.0**-53
    noise: NDArray[np.float32] = (-np.log(-np.log(uniform))).astype(np.float32)
    return noise
