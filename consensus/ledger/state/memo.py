"""What was made of keys, such as digests, and of something else that seldom changes: kept until that does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

K = TypeVar("K")
T = TypeVar("T")

_MOST = 1 << 13


class Memo(Generic[K, T]):
    """Values by key, all made with the same basis; it has room for `_MOST`, and then begins anew."""

    def __init__(self) -> None:
        self._basis: object = None
        self._made: dict[K, T] = {}

    def recall(self, basis: object, key: K, make: Callable[[K], T]) -> T:
        """Return what a pure function makes of a key and the basis, which says all else that it depends on."""
        if basis != self._basis or len(self._made) >= _MOST:
            self._basis, self._made = basis, {}
        if key not in self._made:
            self._made[key] = make(key)
        return self._made[key]
