"""The attached events of one epoch, and the rules that hold between an event and its parents."""

from collections.abc import Iterator, Sequence
from itertools import islice

from consensus.bounds import Bounds
from consensus.event import Event
from consensus.hashgraph import Hashgraph
from consensus.keys import MemberId

LATEST_NS = 1 << 62  # the year 2116; final times grow by at least 1 ns per event (S18), so they stay below 2^63


class Dag:
    """The events whose parents are all present.

    Events go by row, counted from 0 in the order of attachment; members go by index.
    """

    def __init__(
        self, members: Sequence[tuple[MemberId, int]], last_time: int | None = None, *, ahead: int = 0
    ) -> None:
        """Start an empty DAG. `members` are ids with weights, in roster order; for `last_time` see `Hashgraph`.

        `ahead` is that of the genesis; with 0 there are no `Bounds`.
        """
        weights = [weight for _, weight in members]
        self.hashgraph = Hashgraph(weights, last_time)
        self.bounds = Bounds(self.hashgraph, weights, ahead) if ahead else None
        self.members = [member for member, _ in members]
        self.index = {member: index for index, member in enumerate(self.members)}
        self.events: list[Event] = []
        self.rows: dict[bytes, int] = {}
        self._by_member: list[list[int]] = [[] for _ in members]
        self._tips: list[dict[int, None]] = [{} for _ in members]  # rows without a self-child, oldest first
        self._built_on: list[dict[int, None]] = [{} for _ in members]  # with `Bounds`: newest of each branch built on

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
        return self.check_bounds(event.creator, event.self_parent, event.other_parents)

    def check_bounds(self, creator: MemberId, self_parent: bytes | None, others: Sequence[bytes]) -> str | None:
        """Return which of the `Bounds` the event that `creator` would make on these parents breaks; None if none."""
        if self.bounds is None:
            return None
        rows = [self.rows[other] for other in others]
        own = None if self_parent is None else self.rows[self_parent]
        creators = [self.index[self.events[row].creator] for row in rows]
        before = None if own is None else self._self_ancestor(own, self.bounds.events - 1)
        return self.bounds.fault(self.index[creator], own, rows, creators, before)

    def _self_ancestor(self, row: int, back: int) -> int | None:
        """Return the self-ancestor of `row` so many places before it; None if there are fewer."""
        event = self.events[row]
        member, seq = self.index[event.creator], event.seq - back
        if seq < 0:
            return None
        if not self.has_forked(member):
            return self._by_member[member][seq]
        return next(islice(self.self_ancestors(row), back, None))

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
        if self.bounds is not None:
            for other in others:
                self._observe_built_on(other)
        return row

    def _observe_built_on(self, row: int) -> None:
        built_on = self._built_on[self.index[self.events[row].creator]]
        if any(self.hashgraph.is_self_ancestor(row, newer) for newer in built_on):
            return
        for older in [older for older in built_on if self.hashgraph.is_self_ancestor(older, row)]:
            del built_on[older]
        built_on[row] = None

    def tips(self, member: int) -> list[int]:
        """Return the rows of `member`'s events without a self-child, oldest first: one unless the member has forked."""
        return list(self._tips[member])

    def offered(self, member: int) -> list[int]:
        """Return the rows up to which `member`'s events are passed on without being asked for: its tips.

        With `Bounds`, of a member that has forked, only what others have built on: they need nothing else of it.
        """
        return list(self._built_on[member]) if self.bounds and self.has_forked(member) else self.tips(member)

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
