"""Wall time as something handed in: the system's, or trio's clock with a skew; and what keeps it going."""

import time
from typing import Protocol

import trio

from consensus.event import MAX_INT

_FARTHEST = MAX_INT - 2**60  # ns, in the year 2225: 36 years before events could hold no later time


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


class SteadyClock:
    """A clock for own events that does not fall behind a time already reached, whatever is done to `clock`.

    Were a clock set back by a year, own events would for a year come 1 ns after each other. If most members had
    been ahead, or one liar alone had dated a round (SPEC S16), consensus time would stand still so long, and no
    lease would run out. So time goes on from the latest that was reached, as fast as trio's clock does.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._reached = 0
        self._at: float | None = None  # in seconds of trio's clock

    def time_ns(self) -> int:
        """See `Clock.time_ns`."""
        self._take(self._clock.time_ns())
        return self._reached

    def reach(self, time_ns: int) -> None:
        """Takes note of the time of an own event, or of the last consensus time."""
        if time_ns <= _FARTHEST:  # further on nobody follows a liar
            self._take(time_ns)

    def _take(self, time_ns: int) -> None:
        now = trio.current_time()
        if self._at is not None:
            self._reached += max(0, round((now - self._at) * 1e9))
        self._reached, self._at = max(self._reached, time_ns), now
