"""How often a node makes own events, and when the next one is due."""

import math
import random
from dataclasses import dataclass


@dataclass(frozen=True)
class CreationTiming:
    """How often own events are made."""

    busy_s: float = 0.2  # at least, between two of them
    heartbeat_s: float = 5.0  # without anything to do, so that consensus time goes on
    grace_s: float = 3.0  # for the last members to answer before the first own event after a start
    quiet_s: float = 15.0  # without an own event from elsewhere before the first one, if such came: three heartbeats


class CreationTimer:
    """Knows when the next own event is due, in seconds of trio's clock."""

    def __init__(self, timing: CreationTiming, chance: random.Random) -> None:
        self._timing, self._random = timing, chance
        self._restarted_at = -math.inf
        self._gap_s = 0.0

    def restart(self, now: float) -> None:
        """Begin to wait anew: an own event is being made. Gaps vary, so that nodes do not stay in step."""
        self._restarted_at = now
        self._gap_s = self._timing.busy_s * (0.8 + 0.4 * self._random.random())

    @property
    def next_busy_at(self) -> float:
        """When an event may be made if there is something to do."""
        return self._restarted_at + self._gap_s

    @property
    def next_heartbeat_at(self) -> float:
        """When an event is to be made in any case."""
        return self._restarted_at + self._timing.heartbeat_s
