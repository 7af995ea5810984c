"""How one 32-byte seed becomes the independent 64-bit words that games, noise and training draw from."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray


def seed_word(seed: bytes, purpose: str, index: int = 0) -> int:
    """A 64-bit word that depends on the seed, what it is for, and an index, and on nothing else.

    >>> seed_word(b"s" * 32, "opening") != seed_word(b"s" * 32, "noise")
    True
    """
    text = b"\0".join((b"ringrift/seed/1", purpose.encode(), str(index).encode(), seed))
    return int.from_bytes(hashlib.sha256(text).digest()[:8], "little")


def seed_words(seed: bytes, purpose: str, indices: Iterable[int]) -> NDArray[np.uint64]:
    """uint64[n]: `seed_word` of each index."""
    return np.array([seed_word(seed, purpose, index) for index in indices], np.uint64)
