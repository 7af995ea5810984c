"""Wall time as something handed in: the system's, or trio's clock with a skew."""

import time
from typing import Protocol

import trio


class Clock(Protocol):
    """Tells the time that goes into events. Timers use `trio.current_time` instead."""

    def time_ns(self) -> int:
        """Nanoseconds since 1970, UTC, as this machine believes."""
        ...


class SystemClock:
    """The machine's clock."""

    def time_ns(self) -> int:
        """See `Clock.time_ns`."""
        return time.time_ns()


class SimulatedClock:
    """A wall clock that follows trio's clock, so virtual time too; `skew_ns` may be changed at any time."""

    def __init__(self, start_ns: int = 1_800_000_000_000_000_000, skew_ns: int = 0) -> None:
        self._start_ns = start_ns
        self.skew_ns = skew_ns

    def time_ns(self) -> int:
        """See `Clock.time_ns`."""
        return self._start_ns + self.skew_ns + round(trio.current_time() * 1e9)
