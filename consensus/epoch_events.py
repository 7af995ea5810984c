"""The events of one epoch at one node: attached ones, orphans, refusals; and what a peer lacks of them."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice

from consensus.dag import Dag
from consensus.epoch import Opening
from consensus.event import Event, TransactionTable
from consensus.keys import MemberId
from consensus.ledger.records.transactions import Evidence, Open
from consensus.orphans import Orphans
from consensus.sync import Tip, rows_for_peer, tips_of

MAX_WANTED = 256
MAX_SYNC_BYTES = 8 << 20
REPEATED = (Evidence.TYPE, Open.TYPE)
_MAX_REFUSALS = 4096


@dataclass(frozen=True, slots=True)
class RefusedEvent:
    """An event that breaks a rule, and the rule."""

    hash: bytes
    creator: MemberId
    reason: str


class EpochEvents:
    """One epoch's DAG with all that waits for it. It says nothing about what the order means."""

    def __init__(self, opening: Opening, refused: Counter[str]) -> None:
        """`refused` counts how many events broke which rule, over all epochs."""
        self.opening = opening
        members = [(member.id, member.weight) for member in opening.roster.members]
        self.dag = Dag(members, last_time=opening.time)
        self.orphans = Orphans()
        self.refused = refused
        self.unordered: dict[int, None] = {}  # rows with transactions and without a place in the order
        self._glimpsed: dict[MemberId, Event] = {}  # by members with another event of that number here
        self._refusals: dict[bytes, RefusedEvent] = {}  # the latest, so that what descends from them is known

    def insert(self, events: Iterable[Event]) -> list[Event]:
        """Attaches what can be attached, and returns it, parents first; see `Replica.insert`."""
        attached: list[Event] = []
        for event in events:
            ready = deque([event])
            while ready:
                taken = ready.popleft()
                if self._take(taken):
                    attached.append(taken)
                    ready += self.orphans.release(taken.hash)
        return attached

    def _take(self, event: Event) -> bool:
        """Whether `event` is new and was attached; otherwise it is known, waits, or is refused."""
        if event.hash in self.dag or event.hash in self.orphans or event.hash in self._refusals:
            return False
        if event.epoch != self.opening.digest:  # nobody's fault: it was on its way while the epoch changed
            self.refused["the event is of another epoch or swarm"] += 1
            return False
        missing = self.dag.missing_parents(event)
        reason = self._fault(event, missing)
        if reason is not None:
            self._refuse(event, reason)
            return False
        if missing:
            self.orphans.add(event, missing)
            return False
        row = self.dag.attach(event)
        if event.transactions:
            self.unordered[row] = None
        return True

    def _fault(self, event: Event, missing: Sequence[bytes]) -> str | None:
        if event.creator not in self.dag.index:
            return "the creator is no member"
        if not self._refusals.keys().isdisjoint(event.parents):
            return "a parent was refused"
        return None if missing else self.dag.check(event)

    def refusals(self) -> list[RefusedEvent]:
        """The latest events that broke a rule, oldest first."""
        return list(self._refusals.values())

    def _refuse(self, event: Event, reason: str) -> None:
        self.refused[reason] += 1
        dropped = self.orphans.drop_descendants(event.hash)
        if dropped:
            self.refused["a parent was refused"] += dropped
        self._refusals[event.hash] = RefusedEvent(event.hash, event.creator, reason)
        if len(self._refusals) > _MAX_REFUSALS:
            del self._refusals[next(iter(self._refusals))]

    def tips(self) -> list[Tip]:
        """What is here, for a sync message: events without a self-child, in roster order."""
        return tips_of(self.dag)

    def events_for_peer(
        self, tips: Iterable[Tip], limit: int, want: Iterable[bytes] = (), size: int = MAX_SYNC_BYTES
    ) -> list[Event]:
        """What a peer with `tips` lacks, and what it wants by hash, parents first.

        At most `limit` events of at most `size` bytes together (but one at least). If that cuts something
        off, a further sync with the new tips goes on from there.
        """
        events: list[Event] = []
        for row in islice(rows_for_peer(self.dag, tips, want, limit), limit):
            event = self.dag.events[row]
            size -= len(event.raw)
            if size < 0 and events:
                break
            events.append(event)
        return events

    def wanted(self) -> list[bytes]:
        """Hashes of missing parents to ask peers for."""
        return self.orphans.wanted()[:MAX_WANTED]

    def newest(self, member: MemberId) -> Event | None:
        """The attached event of the highest seq by `member`; of several (a fork), that of the lowest hash."""
        index = self.dag.index.get(member)
        if index is None:
            return None
        tips = (self.dag.events[row] for row in self.dag.tips(index))
        return min(tips, key=lambda event: (-event.seq, event.hash), default=None)

    def observe_late(self, event: Event) -> bool:
        """Whether the event, which comes after the close, is of this epoch: then all that it can do is show a fork."""
        if event.epoch != self.opening.digest:
            return False
        index = self.dag.index.get(event.creator)
        if index is not None and not self.dag.has_forked(index):
            known = self.dag.chain(index, event.seq)[:1]
            if known and self.dag.events[known[0]].hash != event.hash:
                self._glimpsed.setdefault(event.creator, event)
        return True

    def forkers(self) -> list[MemberId]:
        """The members that are seen to have forked."""
        members = [self.dag.members[index] for index in self.dag.hashgraph.forkers()]
        return [*members, *(member for member in self._glimpsed if member not in members)]

    def events_of(self, member: MemberId) -> list[Event]:
        """The attached events of a member, parents first, and what was glimpsed of it."""
        if member not in self.dag.index:
            return []
        events = [self.dag.events[row] for row in self.dag.chain(self.dag.index[member], 0)]
        return [*events, self._glimpsed[member]] if member in self._glimpsed else events

    def active_members(self) -> set[MemberId]:
        """The members of whom an event is attached."""
        return {member for index, member in enumerate(self.dag.members) if self.dag.has_events(index)}

    def unreceived(self, member: MemberId) -> tuple[tuple[TransactionTable, ...], ...]:
        """A member's transactions without a place in the order, as they were grouped in events, in their order.

        Without what the replica says by itself, in the next epoch too if there is reason to.
        """
        rows = [row for row in self.unordered if self.dag.events[row].creator == member]
        events = sorted((self.dag.events[row] for row in rows), key=lambda event: event.seq)
        groups = (tuple(entry for entry in event.transactions if entry["type"] not in REPEATED) for event in events)
        return tuple(group for group in groups if group)
