"""The pool of the edges of all trees of a search: parallel arrays that grow at the end."""

from __future__ import annotations

import threading

import numpy as np
from numpy.typing import NDArray

from engine.search.nodes import EDGE_COLUMNS, LOGIT, NOISE, TOTALS

_MOST = 2**31 - 1  # edges are numbered with int32


_Arrays = tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.float32]]


class _Spare(threading.local):
    """Arrays that no pool uses. New ones cost more than filling them: the system clears their pages, one by one."""

    arrays: _Arrays | None = None


_spare = _Spare()


class EdgePool:
    """The edges: `moves` int64[n], `links` int32[n, EDGE_COLUMNS], `stats` float32[n, TOTALS + players]."""

    def __init__(self, players: int, capacity: int) -> None:
        kept, _spare.arrays = _spare.arrays, None
        if kept is None or len(kept[0]) < capacity or kept[2].shape[1] != TOTALS + players:
            kept = (
                np.empty(capacity, np.int64),
                np.empty((capacity, EDGE_COLUMNS), np.int32),
                np.empty((capacity, TOTALS + players), np.float32),
            )
        self.moves, self.links, self.stats = kept
        self.used = 0

    def release(self) -> None:
        """Leave the arrays to the next pool of this thread; this one must not be used any more."""
        _spare.arrays = self.moves, self.links, self.stats

    def take(self, counts: NDArray[np.int32]) -> NDArray[np.int32]:
        """Reserve a run of counts[i] edges for each i and return the start of each run, int32[len(counts)].

        Raises:
            ValueError: there would be more edges than an int32 can number.
        """
        ends = self.used + np.cumsum(counts, dtype=np.int64)
        if len(ends) and ends[-1] > _MOST:
            raise ValueError(f"a search of more than {_MOST} edges; search fewer games or simulations at once")
        starts = (ends - counts).astype(np.int32)
        self.used = int(ends[-1]) if len(ends) else self.used
        if self.used > len(self.moves):
            self._grow(2 * self.used)
        return starts

    def set_logits(self, start: int, logits: NDArray[np.float32]) -> None:
        self.stats[start : start + len(logits), LOGIT] = logits

    def set_noise(self, start: int, noise: NDArray[np.float32]) -> None:
        self.stats[start : start + len(noise), NOISE] = noise

    def _grow(self, capacity: int) -> None:
        for name in ("moves", "links", "stats"):
            old = getattr(self, name)
            new = np.empty((capacity, *old.shape[1:]), old.dtype)
            new[: len(old)] = old
            setattr(self, name, new)
