"""Before a node creates events it listens: others may know an event of its own that it has forgotten."""

from collections.abc import Iterable

from consensus.keys import MemberId
from consensus.replica import Replica
from consensus.sync import Tip


class Listening:
    """Is over when members who, with us, are more than 2/3 of the weight know no own event that we lack.

    Without these members nothing could be decided anyway, so waiting for them costs nothing; and an own event
    that took part in a decision was known to more than 2/3, thus to an honest one of them. Then the others still
    have `grace_s` seconds to answer.
    """

    def __init__(self, replica: Replica, member: MemberId, grace_s: float) -> None:
        self._roster = replica.roster  # of the epoch in which own events would be made
        self._replica = replica
        self._member = member
        self._grace_s = grace_s
        self._agreed = {member}
        self._enough_since: float | None = None

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

    def is_over(self, now: float) -> bool:
        """Return whether own events may be created, at `now` (seconds of trio's clock)."""
        if not self._roster.supermajority(self._agreed):
            self._enough_since = None
            return False
        if self._enough_since is None:
            self._enough_since = now
        everybody = len(self._agreed) == len(self._roster)
        if not everybody and now < self._enough_since + self._grace_s:
            return False
        for peer in self._roster.weights.keys() - self._agreed:
            self._replica.forget_tips(peer)  # it spoke of an own event that it could not show
        return True

    @property
    def deadline(self) -> float:
        """When `is_over` may become true by time alone."""
        return float("inf") if self._enough_since is None else self._enough_since + self._grace_s
