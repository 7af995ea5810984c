"""Notices that this process did not run for a while: it was stopped, or its machine slept or was copied."""

import math

import trio

from node.system.clock import Clock

_AWAY_S = 5.0  # later than due


class Absence:
    """Compares how late a task is, by the clock of its timers and by the wall: the former may stand still in sleep."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._due_at, self._due_ns = math.inf, math.inf

    def expect(self, seconds: float) -> None:
        """Take in that the task looks again after so many seconds."""
        self._due_at = trio.current_time() + seconds
        self._due_ns = self._clock.time_ns() + round(seconds * 1e9)

    def was_away(self) -> bool:
        """Return whether it looks much later than that. A wall clock that was set forward looks like that, too."""
        late_s = max(trio.current_time() - self._due_at, (self._clock.time_ns() - self._due_ns) / 1e9)
        return late_s > _AWAY_S
