"""Notices that another process signs with our key: a copy of it on another machine, or of the whole machine.

Two such processes sooner or later sign two events with one number, which costs the member its vote. Each of them sees
the other's events: they are own events that it did not make. After a start they may also be events that its own disk
has lost; so they are counted first (`Listening`, `SecondInstance.observe_renewal`). Later on one is enough.

Members could withhold own events that this disk has lost, and bring them one by one to be taken for another process. So
only those count that were attached, and each only once: they are on the disk then, also for the next start. Whoever has
kept back k events that no other member has makes this node refuse to start k / 3 times at most, and wait for k times
`quiet_s`; what was sent to nobody but liars is what was made after the last exchange with an honest member.
"""

import math

import structlog

from consensus.event import Event
from node.config.identity import IdentityError

_RENEWALS = 3  # own events, one after the other, that came when all that the disk could have lost was here
_APART_S = 1.0  # by which these come after each other: what members bring at the same time counts once

_log = structlog.get_logger(__name__)


class SecondInstance:
    """What own events from peers say about another process with our key. Times are seconds of trio's clock."""

    def __init__(self) -> None:
        self.reason = ""  # why no own event is made any more; empty if there is no second instance
        self.has_created = False  # this process has made an own event
        self.lost_at = -math.inf  # when an own event last came that the disk may have lost, or may come from now on
        self._has_seen_lost = False
        self._renewals, self._renewed_at = 0, -math.inf

    def observe_lost(self, event: Event, now: float) -> None:
        """Take in an own event that this process did not make, while it listens."""
        if not self._has_seen_lost:
            self._has_seen_lost = True
            _log.warning("own events came that are not on this disk", seq=event.seq)
        self.lost_at = now

    def observe_renewal(self, event: Event, now: float) -> None:
        """Take in such an event that was attached and is on the disk now, after all that the disk had lost was here.

        That is so, except for what only a few know, when members of more than 2/3 of the weight know no own event that
        is not here. Raise IdentityError if others are made.
        """
        if now >= self._renewed_at + _APART_S:
            self._renewed_at = now
            self._renewals += 1
        if self._renewals >= _RENEWALS:
            self.observe_other(f"event {event.seq} of this epoch and others were made while this process listened")

    def observe_copied_disk(self, now: float) -> None:
        """Take in that another process may run, with a copy of this disk or with the original of it."""
        self.lost_at = now

    def observe_other(self, sign: str) -> None:
        """Take in that there is another process with our key, and the `sign` of it.

        Raise IdentityError if this one has made no event yet; then the other one goes on.
        """
        if not self.has_created:
            raise IdentityError(
                f"another running node has this node's key: {sign}; stop that one first, or give this node a key of "
                "its own (ringrift-node keygen)"
            )
        if not self.reason:
            self.reason = f"another process has this node's key: {sign}; stop one of the two and start the other again"
            _log.error("no own events any more", reason=self.reason)
