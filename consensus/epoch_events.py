"""The events of one epoch at one node: attached ones, orphans and refused ones; and what a peer lacks of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

from consensus.closing_tips import ClosingTips
from consensus.dag import Dag
from consensus.epoch import Opening
from consensus.event import Event, TransactionTable
from consensus.keys import MemberId
from consensus.ledger.records.transactions import Evidence, Open
from consensus.orphans import Orphans
from consensus.sync import Tip, rows_for_peer, seqs_of, tips_of

MAX_WANTED = 256
MAX_SYNC_BYTES = 8 << 20
ADDED_BY_REPLICA = (Evidence.TYPE, Open.TYPE)
_MAX_REFUSALS = 4096
_MAX_DEMANDED = 1 << 16  # hashes, so that the way down a branch is not forgotten before its end
_DEMANDED_AT_A_TIME = 64


@dataclass(frozen=True, slots=True)
class RefusedEvent:
    """An event that breaks a rule, and the rule."""

    hash: bytes
    creator: MemberId
    reason: str


class EpochEvents:
    """The DAG of one epoch with the events that wait for it or were refused. It does not interpret the order."""

    def __init__(self, opening: Opening, refused: Counter[str], *, ahead: int = 0) -> None:
        """Start the epoch of `opening`; `refused` counts over all epochs how many events broke which rule.

        `ahead` is that of the genesis.
        """
        self.opening = opening
        members = [(member.id, member.weight) for member in opening.roster.members]
        self.dag = Dag(members, last_time=opening.time, ahead=ahead)
        self.orphans = Orphans()
        self._unasked = Orphans()  # by members that have forked; each waits until another member's event needs it
        self._set_aside: set[MemberId] = set()  # members whose orphans went there when they were seen to fork
        self._demanded: dict[bytes, None] = {}  # absent parents of needed events that were dropped, newest last
        self._closing = ClosingTips()
        self.refused = refused
        self._tips: list[Tip] = []  # kept, as every message names them, until a further event is attached
        self._seqs: Mapping[MemberId, int] = {}  # of these
        self._tips_after = 0  # events
        self.unordered: dict[int, None] = {}  # rows of events with transactions that have no place in the order yet
        self._late_forks: dict[MemberId, Event] = {}  # by creator: another event than the attached one with its seq
        self._refusals: dict[bytes, RefusedEvent] = {}  # the latest, so that their descendants are refused too

    def insert(self, events: Iterable[Event], *, sent: bool = False) -> list[Event]:
        """Attach what can be attached, and return it, parents first; see `Replica.insert`."""
        attached: list[Event] = []
        for event in [*self._kept_for_closing(), *events]:
            ready = [event]
            for candidate in ready:  # which grows meanwhile
                if sent and self._is_unasked(candidate):
                    if candidate.hash not in self._unasked:
                        self._unasked.add(candidate, [candidate.hash])
                elif self._attach(candidate):
                    attached.append(candidate)
                    ready += self.orphans.release(candidate.hash)
                    ready += self._orphans_of_new_forker(candidate.creator)
                else:
                    ready += self._needed_by(candidate)
        return attached

    def _is_unasked(self, event: Event) -> bool:
        """Return whether `event` is new, by a member that has forked, and no event that is here waits for it."""
        if event.creator not in self.on_demand() or event.epoch != self.opening.digest or self.has_event(event.hash):
            return False
        is_needed = event.hash in self._demanded or event.hash in self._closing
        return not (is_needed or self.orphans.is_waited_for(event.hash))

    def observe_closing(self, member: MemberId, tips: Iterable[Tip]) -> None:
        """Take in what a member has attached that has closed this epoch: of forkers, we take that, too."""
        self._closing.observe(member, (tip for tip in tips if tip.hash not in self.dag), self.on_demand())

    def _kept_for_closing(self) -> list[Event]:
        """Return the events that were kept until somebody needs them, which members needed that closed the epoch."""
        return [event for digest in self._closing_absent() for event in self._unasked.release(digest)]

    def _closing_absent(self) -> list[bytes]:
        return [digest for digest in self._closing.in_turns() if not self.has_event(digest)]

    def on_demand(self) -> list[MemberId]:
        """Return the members whose events are taken only if events of others need them: they have forked here."""
        if self.dag.bounds is None or not self.dag.hashgraph.forkers():
            return []
        return [self.dag.members[index] for index in self.dag.hashgraph.forkers()]

    def _orphans_of_new_forker(self, member: MemberId) -> list[Event]:
        """Return the orphans by `member` if it has just been seen to fork: from now on they, too, have to be needed.

        Remove them from the orphans, so that they do not keep each other there.
        """
        if member in self._set_aside or member not in self.on_demand():
            return []
        self._set_aside.add(member)
        return self.orphans.remove_all(member)

    def _needed_by(self, orphan: Event) -> list[Event]:
        """Return the parents of `orphan` that were kept until somebody needs them."""
        if orphan.hash not in self.orphans:
            return []
        return [event for parent in orphan.parents for event in self._unasked.release(parent)]

    def _attach(self, event: Event) -> bool:
        """Return whether `event` is new and was attached; otherwise it is known, waits, or is refused."""
        if event.hash in self.dag.rows or event.hash in self.orphans or event.hash in self._refusals:
            return False
        if event.epoch != self.opening.digest:  # nobody's fault: the epoch changed while it was on its way
            self.refused["the event is of another epoch or swarm"] += 1
            return False
        missing = self.dag.missing_parents(event)
        reason = self._fault(event, missing)
        if reason is not None:
            self._refuse(event, reason)
            return False
        if missing:
            self.orphans.add(event, missing)
            if event.hash not in self.orphans:
                self._demand(missing)
            return False
        row = self.dag.attach(event)
        self._demanded.pop(event.hash, None)
        if event.transactions:
            self.unordered[row] = None
        return True

    def _demand(self, parents: Sequence[bytes]) -> None:
        """Remember that an event which was not kept needs these parents.

        Its creator may have filled its share of the orphans with inventions. If others have built on the event, it
        comes again; by then its parents have to be here, whoever made them.
        """
        if not self.on_demand():
            return
        for parent in parents:
            self._demanded.pop(parent, None)
            self._demanded[parent] = None  # the newest, so that inventions of an earlier time do not hide it
            if len(self._demanded) > _MAX_DEMANDED:
                del self._demanded[next(iter(self._demanded))]

    def _fault(self, event: Event, missing: Sequence[bytes]) -> str | None:
        if event.creator not in self.dag.index:
            return "the creator is not a member"
        if self._refusals and not self._refusals.keys().isdisjoint(event.parents):
            return "a parent was refused"
        return None if missing else self.dag.check(event)

    def has_event(self, digest: bytes) -> bool:
        """Return whether the event with this hash is attached, or waits for its parents."""
        return digest in self.dag or digest in self.orphans

    def refusals(self) -> list[RefusedEvent]:
        """Return the latest events that broke a rule, oldest first."""
        return list(self._refusals.values())

    def _refuse(self, event: Event, reason: str) -> None:
        self.refused[reason] += 1
        self._demanded.pop(event.hash, None)
        dropped = self.orphans.drop_descendants(event.hash)
        if dropped:
            self.refused["a parent was refused"] += dropped
        self._refusals[event.hash] = RefusedEvent(event.hash, event.creator, reason)
        if len(self._refusals) > _MAX_REFUSALS:
            del self._refusals[next(iter(self._refusals))]

    def tips(self) -> list[Tip]:
        """Return what is here, for a sync message: the events without a self-child, in roster order."""
        self._update_tips()
        return list(self._tips)

    def seqs(self) -> Mapping[MemberId, int]:
        """Return the highest seq of each member but those `on_demand`, to compare with what peers have."""
        self._update_tips()
        return self._seqs

    def _update_tips(self) -> None:
        if self._tips_after != len(self.dag):
            self._tips, self._tips_after = tips_of(self.dag), len(self.dag)
            self._seqs = seqs_of(self._tips, self.on_demand())

    def events_for_peer(
        self, tips: Iterable[Tip], limit: int, want: Iterable[bytes] = (), size: int = MAX_SYNC_BYTES
    ) -> list[Event]:
        """Return the events that a peer with `tips` lacks and those that it wants by hash, parents first.

        At most `limit` events with at most `size` bytes in total (but at least one event). If that cuts something off,
        a further sync with the new tips continues from there. Half of it is for those that the peer wants: it may take
        their ancestors only once it knows by them that it needs these.
        """
        want = list(want)
        wanted = (self.dag.rows[digest] for digest in want if digest in self.dag)
        chosen = self._fill({}, wanted, limit // 2, size // 2)
        chosen = self._fill(chosen, rows_for_peer(self.dag, tips, want, limit), limit, size)
        return [chosen[row] for row in sorted(chosen)]

    def _fill(self, chosen: Mapping[int, Event], rows: Iterable[int], limit: int, size: int) -> dict[int, Event]:
        """Return the `chosen` events, by row, and the first of `rows` that fit, too; one event fits in any case."""
        filled = dict(chosen)
        size -= sum(len(event.raw) for event in filled.values())
        for row in rows:
            if row in filled:
                continue
            event = self.dag.events[row]
            size -= len(event.raw)
            if filled and (size < 0 or len(filled) >= limit):
                break
            filled[row] = event
        return filled

    def wanted(self) -> list[bytes]:
        """Return hashes of missing parents to ask peers for: first those of which only the hashes were kept."""
        newest = islice(reversed(self._demanded), _DEMANDED_AT_A_TIME)
        closing = self._closing_absent()[:_DEMANDED_AT_A_TIME]
        demanded = [*closing, *(digest for digest in newest if digest not in self.orphans)]
        others = self.orphans.wanted()[: MAX_WANTED - len(demanded)]
        return list(dict.fromkeys([*demanded, *others]))

    def newest(self, member: MemberId) -> Event | None:
        """Return the attached event by `member` with the highest seq and, after a fork, of these the lowest hash."""
        index = self.dag.index.get(member)
        if index is None:
            return None
        rows = self.dag.tips(index)
        if len(rows) == 1:
            return self.dag.events[rows[0]]
        tips = (self.dag.events[row] for row in rows)
        return min(tips, key=lambda event: (-event.seq, event.hash), default=None)

    def observe_late(self, event: Event) -> bool:
        """Return whether `event`, which comes after the close, is of this epoch.

        Such an event is not attached. It is kept if it shows that its creator has forked.
        """
        if event.epoch != self.opening.digest:
            return False
        index = self.dag.index.get(event.creator)
        if index is not None and not self.dag.has_forked(index):
            known = self.dag.chain(index, event.seq)[:1]
            if known and self.dag.events[known[0]].hash != event.hash:
                self._late_forks.setdefault(event.creator, event)
        return True

    def forkers(self) -> list[MemberId]:
        """Return the members that have been seen to fork."""
        members = [self.dag.members[index] for index in self.dag.hashgraph.forkers()]
        return [*members, *(member for member in self._late_forks if member not in members)]

    def events_of(self, member: MemberId) -> list[Event]:
        """Return the attached events of a member, parents first, and the late one that shows its fork, if any."""
        if member not in self.dag.index:
            return []
        events = [self.dag.events[row] for row in self.dag.chain(self.dag.index[member], 0)]
        return [*events, self._late_forks[member]] if member in self._late_forks else events

    def active_members(self) -> set[MemberId]:
        """Return the members of which an event is attached."""
        return {member for index, member in enumerate(self.dag.members) if self.dag.has_events(index)}

    def unreceived(self, member: MemberId) -> tuple[tuple[TransactionTable, ...], ...]:
        """Return a member's transactions without a place in the order, grouped as in its events, in their order.

        Leave out those that the replica itself adds to an event: in the next epoch it adds them again if needed.
        """
        rows = [row for row in self.unordered if self.dag.events[row].creator == member]
        events = sorted((self.dag.events[row] for row in rows), key=lambda event: event.seq)
        groups = (
            tuple(entry for entry in event.transactions if entry["type"] not in ADDED_BY_REPLICA) for event in events
        )
        return tuple(group for group in groups if group)
