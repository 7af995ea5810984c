"""Whether a node is fit to make events: one that cannot keep up with what there is would only add to it."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from consensus.keys import MemberId
from consensus.roster import Roster
from consensus.sync import count_beyond


@dataclass(frozen=True)
class HealthLimits:
    """Beyond these a node makes no own events."""

    waiting: int = 2000  # events that have come in and are not yet attached
    delay_s: float = 1.0  # by which it woke too late, or that a write took
    delay_counts_s: float = 2.0  # for which such a delay counts
    behind: int = 64  # events that it lacks, for each member: a dozen rounds and more


class Health:
    """What speaks against own events now. Times are seconds of trio's clock."""

    def __init__(self, limits: HealthLimits | None = None) -> None:
        self.waiting = 0  # events that have come in and are not yet attached
        self._limits = limits or HealthLimits()
        self._delay, self._delayed_at = "", -math.inf
        self._ahead: dict[MemberId, Mapping[MemberId, int]] = {}  # the seqs that peers far ahead of us named

    def observe_delay(self, what: str, seconds: float, now: float) -> None:
        """Take in how long something took that should take no time."""
        if seconds > self._limits.delay_s:
            self._delay, self._delayed_at = f"{what} took {seconds:.1f} s", now

    def observe_seqs(self, peer: MemberId, seqs: Mapping[MemberId, int], ours: Mapping[MemberId, int]) -> None:
        """Take in the highest seqs that a peer names; remember them if they are far beyond ours."""
        self._ahead.pop(peer, None)
        if count_beyond(seqs, ours) > self._limits.behind * len(seqs):
            self._ahead[peer] = seqs

    def begin_epoch(self) -> None:
        """Forget what peers named: seqs begin anew in every epoch."""
        self._ahead.clear()

    def ailment(self, roster: Roster, seqs_here: Callable[[], Mapping[MemberId, int]], now: float) -> str:
        """Return why no own event is made now, in a few words; empty if one may be. `seqs_here` are our highest seqs.

        A third of the weight has to say that we are behind: then an honest member is among them, so liars
        alone cannot silence anybody.
        """
        if self.waiting > self._limits.waiting:
            return f"{self.waiting} events wait to be attached"
        if now < self._delayed_at + self._limits.delay_counts_s:
            return self._delay
        ours = seqs_here() if self._ahead else {}
        for peer, seqs in list(self._ahead.items()):
            self.observe_seqs(peer, seqs, ours)
        if 3 * roster.weight(self._ahead) >= roster.total_weight:
            lead = min(count_beyond(seqs, ours) for seqs in self._ahead.values())
            return f"{lead} events behind"
        return ""
