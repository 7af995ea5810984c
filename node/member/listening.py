"""Before a node creates events it listens: others may know an event of its own that it has forgotten."""

from collections.abc import Iterable

from consensus.replica import Replica
from consensus.sync import Tip


class Listening:
    """Over when members who, with us, are more than 2/3 of the weight know no own event that we lack.

    Without these members nothing could be decided anyway, so waiting for them costs nothing; and an event of
    ours that took part in a decision was known to more than 2/3, thus to an honest one of them. After that
    the others still have `patience` seconds to answer.
    """

    def __init__(self, replica: Replica, member: bytes, patience: float) -> None:
        self._roster = replica.roster  # of the epoch in which own events would be made
        self._replica = replica
        self._member = member
        self._patience = patience
        self._agreed = {member}
        self._enough_since: float | None = None

    def hear(self, peer: bytes, tips: Iterable[Tip], *, ahead: bool = False) -> None:
        """Takes note of what a peer says it has; the replica asks for what it has of ours and we lack.

        One that is `ahead`, in a later epoch, may know own events there: it does not agree yet.
        """
        tips = list(tips)
        self._replica.hear(peer, tips)
        if not ahead and all(tip.hash in self._replica.dag for tip in tips if tip.creator == self._member):
            self._agreed.add(peer)
        else:
            self._agreed.discard(peer)

    def over(self, now: float) -> bool:
        """Whether own events may be created, at `now` (seconds of trio's clock)."""
        if not self._roster.supermajority(self._agreed):
            self._enough_since = None
            return False
        if self._enough_since is None:
            self._enough_since = now
        everybody = len(self._agreed) == len(self._roster)
        if not everybody and now < self._enough_since + self._patience:
            return False
        for peer in self._roster.weights.keys() - self._agreed:
            self._replica.dismiss(peer)  # of what own event it spoke, it could not show it
        return True

    @property
    def deadline(self) -> float:
        """When `over` may become true by time alone."""
        return float("inf") if self._enough_since is None else self._enough_since + self._patience
