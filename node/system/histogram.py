"""Counts how long something took, in classes with fixed bounds, as Prometheus adds them up over nodes and time."""

from bisect import bisect_left
from collections.abc import Sequence


class Histogram:
    """Durations since the start: how many are up to each bound, and their sum."""

    def __init__(self, bounds_s: Sequence[float]) -> None:
        """Count in a class for each of the ascending bounds, and in one more for what is longer than the last."""
        self.bounds_s = tuple(bounds_s)
        self._counts = [0] * (len(self.bounds_s) + 1)
        self.sum_s = 0.0

    def observe(self, duration_s: float) -> None:
        """Take in that something took so long."""
        self._counts[bisect_left(self.bounds_s, duration_s)] += 1
        self.sum_s += duration_s

    @property
    def counts(self) -> tuple[int, ...]:
        """How many durations are in each class."""
        return tuple(self._counts)
