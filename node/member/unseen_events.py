"""Own events that nobody else has yet, which can be kept back as long as another process may have taken their place."""

from collections.abc import Iterable, Mapping

from consensus.event import Event
from consensus.keys import MemberId
from consensus.sync import Tip

_MAX_KEPT = 64  # more are made only by a member that needs nobody


class UnseenEvents:
    """The own events of which nothing has shown yet that another member has them.

    A member has an event if it says so, or if it has built on it; then it has its self-ancestors, too.
    """

    def __init__(self, member: MemberId) -> None:
        self._member = member
        self._events: dict[bytes, Event] = {}  # by hash, oldest first

    @property
    def by_hash(self) -> Mapping[bytes, Event]:
        """These events by their hashes."""
        return self._events

    def observe_attached(self, event: Event) -> None:
        """Take in an event that was attached: one of ours, or one that builds on ours."""
        if event.creator != self._member:
            self.observe_seen(event.parents)
            return
        self._events[event.hash] = event
        if len(self._events) > _MAX_KEPT:
            del self._events[next(iter(self._events))]

    def observe_seen(self, hashes: Iterable[bytes]) -> None:
        """Take in hashes of events that another member has."""
        for digest in hashes:
            seen = self._events.pop(digest, None)
            while seen is not None and seen.self_parent is not None:
                seen = self._events.pop(seen.self_parent, None)


def without_hidden(tips: Iterable[Tip], hidden: Mapping[bytes, Event]) -> list[Tip]:
    """Return what tips become if these events, by hash, were not there."""
    shown: list[Tip] = []
    for tip in tips:
        event = hidden.get(tip.hash)
        while event is not None and event.self_parent is not None:
            tip = Tip(event.creator, event.seq - 1, event.self_parent)
            event = hidden.get(tip.hash)
        if event is None:
            shown.append(tip)
    return shown
