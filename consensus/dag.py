"""The attached events of one epoch, and the rules that hold between an event and its parents."""

from collections.abc import Iterator, Sequence

from consensus.event import Event
from consensus.hashgraph import Hashgraph
from consensus.keys import MemberId

LATEST_NS = 1 << 62  # the year 2116; final times grow by at least 1 ns per event (S18), so they stay below 2^63


class Dag:
    """The events whose parents are all present.

    Events go by row, counted from 0 in the order of attachment; members go by index.
    """

    def __init__(self, members: Sequence[tuple[MemberId, int]], last_time: int | None = None) -> None:
        """Start an empty DAG. `members` are ids with weights, in roster order; for `last_time` see `Hashgraph`."""
        self.hashgraph = Hashgraph([weight for _, weight in members], last_time)
        self.members = [member for member, _ in members]
        self.index = {member: index for index, member in enumerate(self.members)}
        self.events: list[Event] = []
        self.rows: dict[bytes, int] = {}
        self._by_member: list[list[int]] = [[] for _ in members]
        self._tips: list[dict[int, None]] = [{} for _ in members]  # rows without a self-child, oldest first

    def __contains__(self, digest: bytes) -> bool:
        return digest in self.rows

    def __len__(self) -> int:
        return len(self.events)

    def missing_parents(self, event: Event) -> list[bytes]:
        """Return the parents of `event` that are not attached."""
        return [parent for parent in event.parents if parent not in self.rows]

    def check(self, event: Event) -> str | None:
        """Return the rule that `event`, whose parents are all attached, breaks, in one line; None if it breaks none."""
        if event.time > LATEST_NS:
            return "the time is beyond the year 2116"
        if event.self_parent is not None:
            parent = self.events[self.rows[event.self_parent]]
            if parent.creator != event.creator:
                return "the self-parent is by another member"
            if event.seq != parent.seq + 1:
                return "the seq is not the self-parent's + 1"
            if event.time <= parent.time:
                return "the time is not after the self-parent's"
        creators = [event.creator, *(self.events[self.rows[other]].creator for other in event.other_parents)]
        if len(set(creators)) != len(creators):
            return "the other-parents are not by distinct other members"
        return None

    def preview(self, creator: MemberId, self_parent: bytes | None, others: Sequence[bytes]) -> tuple[int, bool]:
        """Return the round of the event that `creator` would make on these parents, and whether it is a witness."""
        own = None if self_parent is None else self.rows[self_parent]
        return self.hashgraph.preview(self.index[creator], own, [self.rows[other] for other in others])

    def attach(self, event: Event) -> int:
        """Add `event`, which breaks no rule, and return its row."""
        member = self.index[event.creator]
        self_parent = None if event.self_parent is None else self.rows[event.self_parent]
        others = [self.rows[other] for other in event.other_parents]
        row = self.hashgraph.add(member, self_parent, others, event.time, event.hash)
        self.events.append(event)
        self.rows[event.hash] = row
        self._by_member[member].append(row)
        if self_parent is not None:
            self._tips[member].pop(self_parent, None)
        self._tips[member][row] = None
        return row

    def tips(self, member: int) -> list[int]:
        """Return the rows of `member`'s events without a self-child, oldest first: one unless the member has forked."""
        return list(self._tips[member])

    def chain(self, member: int, start: int) -> Sequence[int]:
        """Return the rows of the events from seq `start` on, of a member that has not forked."""
        return self._by_member[member][start:]

    def has_events(self, member: int) -> bool:
        """Return whether an event by `member` is attached."""
        return bool(self._by_member[member])

    def has_forked(self, member: int) -> bool:
        """Return whether two branches by `member` are attached."""
        return self.hashgraph.has_forked(member)

    def self_ancestors(self, row: int) -> Iterator[int]:
        """Yield `row` and its self-ancestors, newest first."""
        parent: bytes | None = self.events[row].hash
        while parent is not None:
            row = self.rows[parent]
            yield row
            parent = self.events[row].self_parent
