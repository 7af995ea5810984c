"""How often a node makes own events, and when the next one is due."""

import math
import random
from dataclasses import dataclass


@dataclass(frozen=True)
class CreationTiming:
    """How often own events are made."""

    busy_s: float = 0.2  # at least, between two of them
    prompt_s: float = 0.025  # the same before an exchange, so that a peer gets the second one at once
    few: int = 4  # transactions; after an event with more, one waits for `busy_s` in any case, so that events fill
    heartbeat_s: float = 5.0  # without anything to do, so that consensus time goes on
    grace_s: float = 3.0  # for the last members to answer before the first own event after a start
    quiet_s: float = 15.0  # without an own event from elsewhere before the first one, if such came: three heartbeats


class CreationTimer:
    """Knows when the next own event is due, in seconds of trio's clock."""

    def __init__(self, timing: CreationTiming, chance: random.Random) -> None:
        self._timing, self._random = timing, chance
        self._restarted_at = -math.inf
        self._gap_s = self._prompt_gap_s = 0.0

    def restart(self, now: float, transactions: int) -> None:
        """Begin to wait anew: an own event is being made, with so many transactions.

        Gaps vary, so that nodes do not stay in step.
        """
        self._restarted_at = now
        self._gap_s = self._timing.busy_s * (0.8 + 0.4 * self._random.random())
        self._prompt_gap_s = min(self._gap_s, self._timing.prompt_s if transactions <= self._timing.few else math.inf)

    @property
    def next_busy_at(self) -> float:
        """When an event may be made if there is something to do."""
        return self._restarted_at + self._gap_s

    @property
    def next_prompt_at(self) -> float:
        """When an event may be made, if there is something to do, that a peer gets at once: no later than others."""
        return self._restarted_at + self._prompt_gap_s

    @property
    def next_heartbeat_at(self) -> float:
        """When an event is to be made in any case."""
        return self._restarted_at + self._timing.heartbeat_s
