"""Before a node creates events it listens: others may know an event of its own that it has forgotten."""

import math
from collections.abc import Iterable

from consensus.keys import MemberId
from consensus.replica import Replica
from consensus.sync import Tip


class Listening:
    """Is over when members who, with us, are more than 2/3 of the weight know no own event that we lack.

    Without these members nothing could be decided anyway, so waiting for them costs nothing; and an own event
    that took part in a decision was known to more than 2/3, thus to an honest one of them. Then the others still
    have `grace_s` seconds to answer. After an own event that this process did not make, no other may come for
    `quiet_s` seconds: it could be of a process that runs elsewhere with our key.
    """

    def __init__(self, replica: Replica, member: MemberId, *, grace_s: float, quiet_s: float) -> None:
        self._roster = replica.roster  # of the epoch in which own events would be made
        self._replica = replica
        self._member = member
        self._grace_s, self._quiet_s = grace_s, quiet_s
        self._agreed = {member}
        self._enough_since: float | None = None
        self.has_been_level = False  # members of more than 2/3 of the weight knew no own event that we lacked

    def observe_tips(self, peer: MemberId, tips: Iterable[Tip], *, ahead: bool = False) -> None:
        """Take in what a peer says it has; the replica asks for own events among it that we lack.

        A peer that is `ahead`, in a later epoch, may know own events there: it does not agree yet.
        """
        tips = list(tips)
        self._replica.observe_tips(peer, tips)
        if not ahead and all(tip.hash in self._replica.dag for tip in tips if tip.creator == self._member):
            self._agreed.add(peer)
        else:
            self._agreed.discard(peer)

    def is_over(self, now: float, lost_at: float = -math.inf) -> bool:
        """Return whether own events may be created, at `now` (seconds of trio's clock).

        `lost_at` is when an own event last came that this process did not make.
        """
        if not self._roster.supermajority(self._agreed):
            self._enough_since = None
            return False
        if self._enough_since is None:
            self._enough_since, self.has_been_level = now, True
        if now < self.deadline(lost_at):
            return False
        for peer in self._roster.weights.keys() - self._agreed:
            self._replica.forget_tips(peer)  # it spoke of an own event that it could not show
        return True

    def deadline(self, lost_at: float = -math.inf) -> float:
        """Return when `is_over` may become true by time alone."""
        if self._enough_since is None:
            return math.inf
        everybody = len(self._agreed) == len(self._roster)
        return max(self._enough_since + (0.0 if everybody else self._grace_s), lost_at + self._quiet_s)
