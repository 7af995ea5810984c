"""Independent 64-bit words, for games, noise and training, derived from one 32-byte seed."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray


def seed_word(seed: bytes, purpose: str, index: int = 0) -> int:
    """Return a 64-bit word that depends only on the seed, its purpose and an index.

    >>> seed_word(b"s" * 32, "opening") != seed_word(b"s" * 32, "noise")
    True
    """
    return int.from_bytes(derive_seed(seed, purpose, index)[:8], "little")


def derive_seed(seed: bytes, purpose: str, index: int = 0) -> bytes:
    """Return another 32-byte seed, which depends only on a seed, its purpose and an index."""
    text = b"\0".join((b"ringrift/seed/1", purpose.encode(), str(index).encode(), seed))
    return hashlib.sha256(text).digest()


def seed_words(seed: bytes, purpose: str, indices: Iterable[int]) -> NDArray[np.uint64]:
    """Return uint64[n]: `seed_word` of each index."""
    return np.array([seed_word(seed, purpose, index) for index in indices], np.uint64)
