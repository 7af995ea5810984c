"""Whether a node is fit to make events: one that cannot keep up with what there is would only add to it."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from consensus.keys import MemberId
from consensus.roster import Roster


@dataclass(frozen=True)
class Bounds:
    """Beyond these a node makes no own events."""

    waiting: int = 2000  # events that have come in and are not yet attached
    late: float = 1.0  # seconds that it woke too late, or that a write took
    pause: float = 2.0  # seconds for which that counts
    behind: int = 64  # events that it lacks, for each member: a dozen rounds and more


class Health:
    """What speaks against own events now. Times in seconds of trio's clock."""

    def __init__(self, bounds: Bounds | None = None) -> None:
        self.waiting = 0
        self._bounds = bounds or Bounds()
        self._late, self._late_at = "", -math.inf
        self._said: dict[MemberId, Mapping[MemberId, int]] = {}

    def took(self, what: str, seconds: float, now: float) -> None:
        """Notes how long something took that should take no time."""
        if seconds > self._bounds.late:
            self._late, self._late_at = f"{what} took {seconds:.1f} s", now

    def hear(self, peer: MemberId, seqs: Mapping[MemberId, int], ours: Mapping[MemberId, int]) -> None:
        """Notes the highest seqs of which a peer speaks, if they are far beyond ours."""
        self._said.pop(peer, None)
        if self._lead(seqs, ours) > self._bounds.behind * len(seqs):
            self._said[peer] = seqs

    def forget(self) -> None:
        """Forgets what peers said: an epoch has begun, and seqs with it."""
        self._said.clear()

    def ailment(self, roster: Roster, seqs_here: Callable[[], Mapping[MemberId, int]], now: float) -> str:
        """Why no own event is made now, in a few words; empty if one may be. `seqs_here` are our highest seqs.

        A third of the weight has to say that we are behind: then an honest member is among them, so liars
        alone cannot silence anybody.
        """
        if self.waiting > self._bounds.waiting:
            return f"{self.waiting} events wait to be attached"
        if now < self._late_at + self._bounds.pause:
            return self._late
        ours = seqs_here() if self._said else {}
        for peer, seqs in list(self._said.items()):
            self.hear(peer, seqs, ours)
        if 3 * roster.weight(self._said) >= roster.total_weight:
            lead = min(self._lead(seqs, ours) for seqs in self._said.values())
            return f"{lead} events behind"
        return ""

    def _lead(self, seqs: Mapping[MemberId, int], ours: Mapping[MemberId, int]) -> int:
        return sum(max(0, seq - ours.get(member, -1)) for member, seq in seqs.items())
