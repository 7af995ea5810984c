"""Wall clocks: the system's, one that follows trio's clock, and one that never goes back."""

import time
from datetime import UTC, datetime, timedelta
from typing import Protocol

import structlog
import trio

from consensus.dag import LATEST_NS
from node.system.tasks import wait_until

_FARTHEST_NS = LATEST_NS - 2**55  # in the year 2114, a year before the last time that an event may have
_LOOK_S = 1.0
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

_log = structlog.get_logger(__name__)


class Clock(Protocol):
    """Tells the time that goes into events. Timers use `trio.current_time` instead."""

    def time_ns(self) -> int:
        """Return the nanoseconds since 1970, UTC, as far as this machine knows."""
        ...


class SystemClock:
    """The machine's clock."""

    def time_ns(self) -> int:
        """See `Clock.time_ns`."""
        return time.time_ns()


def is_credible(time_ns: int) -> bool:
    """Return whether a wall clock may show this: not before 1970, nor so late that events could not go on from it."""
    return 0 <= time_ns <= _FARTHEST_NS


async def wait_until_set(clock: Clock) -> None:
    """Return once the clock shows a credible time; log once that it does not.

    Events, and certificates of connections, of another time would be refused by everybody.
    """
    if is_credible(now := clock.time_ns()):
        return
    shown = f"{_EPOCH + timedelta(seconds=now // 10**9):%Y-%m-%d %H:%M} UTC"
    _log.warning("waiting for the clock", shows=shown, remedy="set the clock of this machine")
    await wait_until(lambda: is_credible(clock.time_ns()), _LOOK_S)
    _log.info("the clock is set")


class SimulatedClock:
    """A wall clock that follows trio's clock, so virtual time too; `skew_ns` may be changed at any time."""

    def __init__(self, start_ns: int = 1_800_000_000_000_000_000, skew_ns: int = 0) -> None:
        self._start_ns = start_ns
        self.skew_ns = skew_ns

    def time_ns(self) -> int:
        """See `Clock.time_ns`."""
        return self._start_ns + self.skew_ns + round(trio.current_time() * 1e9)


class SteadyClock:
    """A clock for own events that never falls behind a time it has reached, whatever is done to `clock`.

    If a clock were set back by a year, own events would follow each other at 1 ns for a year. If most members had been
    ahead, or one liar alone had dated a round (SPEC S16), consensus time would stand still for as long, and no lease
    would run out. So time goes on from the latest that was reached, as fast as trio's clock does. A time that is not
    credible is not followed.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._reached_ns = 0
        self._reached_at: float | None = None  # of trio's clock

    def time_ns(self) -> int:
        """See `Clock.time_ns`."""
        self.reach(self._clock.time_ns())
        self._advance(self._reached_ns)
        return self._reached_ns

    def reach(self, time_ns: int) -> None:
        """Take in a time that `clock` shows, the time of an own event, or the last consensus time."""
        if is_credible(time_ns):  # nobody follows a liar, or a broken clock, further than that
            self._advance(time_ns)

    def _advance(self, time_ns: int) -> None:
        """Go on to the present, and to `time_ns` if that is later."""
        now = trio.current_time()
        if self._reached_at is not None:
            self._reached_ns += max(0, round((now - self._reached_at) * 1e9))
        self._reached_ns, self._reached_at = max(self._reached_ns, time_ns), now
