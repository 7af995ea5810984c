"""One node's copy of the swarm: events in, rounds and ledger effects out, own events that never fork."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Self

from consensus.epoch import EpochRecord, Opening
from consensus.epoch_events import MAX_SYNC_BYTES, MAX_WANTED, EpochEvents, RefusedEvent
from consensus.event import MAX_TRANSACTIONS, Event, EventError, TransactionTable, make_event
from consensus.forks import Forks
from consensus.genesis import Genesis
from consensus.hashgraph import Decision
from consensus.keys import MemberId, SigningKey
from consensus.ledger import Ledger
from consensus.ledger.records.transactions import Evidence, Open
from consensus.ordered import DecidedRound, Judge, OrderedEvent
from consensus.outcome import ClosedEpoch, ForkError, RoundEffects
from consensus.own_events import OwnEvents
from consensus.preimages import Preimages
from consensus.roster import Roster
from consensus.sync import Tip

__all__ = ["ClosedEpoch", "ForkError", "Replica", "RoundEffects"]


class Replica:
    """The sans-I/O state of one node: events in, rounds and ledger effects out.

    The same events, in whatever order and batches, lead to the same rounds, effects and digests.

    Epochs follow each other without further calls. When `advance` reports that one has closed, everything about "the
    epoch" (`epoch_digest`, `roster`, `dag`, `hashgraph`, `tips` ...) already concerns the next one, which is empty. The
    closed one stays available to peers that have not closed it yet; see `find_epoch`.

    To recover after a restart, `resume` from the last record, insert the stored events of its epoch and advance; then
    listen to the others before `create`.
    """

    def __init__(
        self,
        genesis: Genesis,
        key: SigningKey | None,
        opening: Opening,
        ledger: Ledger,
        *,
        decided: tuple[int, bytes] | None = None,
    ) -> None:
        """Begin in the epoch of `opening`, with the ledger that it begins with; see `found` and `resume`.

        Without `key` the replica only observes. `decided` is the last decided round, and the ledger's digest after it.
        """
        self.genesis = genesis
        self.ledger = ledger
        self.refused: Counter[str] = Counter()  # how many events broke which rule
        self._key = key
        self._closed: EpochEvents | None = None  # the epoch closed last, as long as peers may need it
        self._forks = Forks()
        self._ordered = opening.ordered
        self._decided = decided
        self._begin_epoch(opening)

    @classmethod
    def found(cls, genesis: Genesis, key: SigningKey | None = None) -> Self:
        """Return a replica in the first epoch of the swarm, before its first event."""
        return cls(genesis, key, Opening.of_genesis(genesis), Ledger.found(genesis))

    @classmethod
    def resume(cls, genesis: Genesis, key: SigningKey | None, record: EpochRecord, snapshot: bytes) -> Self:
        """Return a replica in the epoch that `record` opened. The caller has made sure that the record is true.

        Raise SnapshotError if `snapshot` is not the one that the record names.
        """
        ledger = Ledger.restore(genesis, record, snapshot)
        return cls(genesis, key, Opening.of_record(record), ledger, decided=(record.round, record.ledger))

    def _begin_epoch(self, opening: Opening) -> None:
        self.opening = opening
        self._forks.begin_epoch(opening.number)
        self._open = EpochEvents(opening, self.refused, ahead=self.genesis.settings.epoch.ahead)
        self.dag = self._open.dag
        self.hashgraph = self.dag.hashgraph
        self._own = None if self._key is None else OwnEvents(self._key, self._open)

    @property
    def epoch_digest(self) -> bytes:
        """The digest that all events of the open epoch name."""
        return self.opening.digest

    @property
    def epoch_number(self) -> int:
        """The number of the open epoch, from 0."""
        return self.opening.number

    @property
    def roster(self) -> Roster:
        """The members of the open epoch."""
        return self.opening.roster

    # Events in.

    def insert(self, events: Iterable[Event], *, sent: bool = False) -> list[Event]:
        """Attach what can be attached, and return it, parents first. The caller has verified the signatures.

        An event whose parents are missing waits for them, within bounds. One that breaks a rule, or is of an epoch that
        is not open, is dropped with all that wait for it, and counted in `refused`. Late events of the epoch closed
        last are only searched for forks. Nothing that a peer can send makes this raise.

        `sent` if they were sent by a peer, not read from our disk: then, with `Bounds`, those by a member that has
        forked are kept, within bounds, until an event by another member needs them.
        """
        closed = self._closed
        current = (event for event in events if closed is None or not closed.observe_late(event))
        attached = self._open.insert(current, sent=sent)
        self._forks.observe(self._open, closed)
        if attached and closed is not None and self._has_been_left_by_all(closed):
            self._closed = None
        return attached

    def _has_been_left_by_all(self, closed: EpochEvents) -> bool:
        """Return whether no member can still need the closed epoch.

        That is so when its record is sealed, so that new members can continue from it, and when every member that stays
        has an event in the open epoch. Before that, a new member has to close the epoch by itself, and its seal may be
        the one that is missing if others withhold theirs.
        """
        staying = {member for member in closed.opening.roster.ids if member in self.roster}
        return self.ledger.sealed is not None and staying <= self._open.active_members()

    def refusals(self) -> list[RefusedEvent]:
        """Return the latest events of the open epoch that broke a rule, oldest first."""
        return self._open.refusals()

    # Rounds out.

    def advance(self) -> list[RoundEffects]:
        """Apply the rounds that have become decided to the ledger, and return them in order.

        The round that closes the epoch is the last one: whatever the DAG decides beyond it does not count.
        """
        results: list[RoundEffects] = []
        for decision in self.hashgraph.decide():
            results.append(self._apply(decision))
            if results[-1].closed is not None:
                break
        return results

    def _apply(self, decision: Decision) -> RoundEffects:
        number, events = self.opening.round + decision.round, []
        for row, _, time in decision.received:
            events.append(OrderedEvent(self.dag.events[row], number, time, self._ordered))
            self._ordered += 1
            self._open.unordered.pop(row, None)
        decided = DecidedRound(number, self._judges(decision), tuple(events))
        was_sealed = self.ledger.sealed
        effects = self.ledger.apply_round(decided)
        digest, sealed = self.ledger.digest(), self.ledger.sealed if was_sealed is None else None
        self._decided = number, digest
        if self.ledger.closing is None:
            return RoundEffects(decided, effects, digest, sealed)
        closing = self.ledger.close(decided)
        closed = ClosedEpoch(closing.record, closing.snapshot, self.unreceived())
        self._closed = self._open
        self._begin_epoch(Opening.of_record(closing.record))
        return RoundEffects(decided, effects + closing.effects, digest, sealed, closed)

    def unreceived(self) -> tuple[tuple[TransactionTable, ...], ...]:
        """Return own transactions without a place in the order, grouped as in their events."""
        return () if self._own is None else self._open.unreceived(self._own.id)

    def _judges(self, decision: Decision) -> tuple[Judge, ...]:
        events = (self.dag.events[row] for row in decision.judges)
        judges = (Judge(event.hash, event.creator, event.reveal) for event in events)
        return tuple(sorted(judges, key=lambda judge: judge.hash))

    def needs_rounds(self) -> bool:
        """Return whether further rounds are needed.

        They are for transactions without a place, for a seed, for our seal, or for evidence of a fork.
        """
        members = (self.dag.index[self.dag.events[row].creator] for row in self._open.unordered)
        unplaced = any(not self.dag.has_forked(member) for member in members)
        return (
            unplaced
            or self.ledger.waits_for_beacon
            or (self.epoch_number > 0 and self._has_to_open())
            or bool(self.pending_evidence())
        )

    def _has_to_open(self) -> bool:
        """Return whether we are a member that has not continued into this epoch yet."""
        return self._own is not None and self._own.is_member and self._own.newest is None

    def pending_evidence(self) -> list[Evidence]:
        """Return evidence of forks seen here that is new to the ledger.

        Leave out what an own event of this epoch carries already.
        """
        return [] if self._own is None else self._forks.pending(self.ledger, self._own.id)

    # What others have and lack.

    def find_epoch(self, epoch: bytes) -> EpochEvents | None:
        """Return the events of the open epoch or of the one closed last, by digest; None if they are not held."""
        if epoch == self.epoch_digest:
            return self._open
        if self._closed is not None and epoch == self._closed.opening.digest:
            return self._closed
        return None

    @property
    def held_epochs(self) -> list[EpochEvents]:
        """The epoch closed last, as long as peers may need it, and the open one."""
        return [self._open] if self._closed is None else [self._closed, self._open]

    def restore_closed(self, opening: Opening, events: Iterable[Event]) -> None:
        """Hold the epoch before this one again, from its stored events, after a restart; see `find_epoch`."""
        closed = EpochEvents(opening, self.refused, ahead=self.genesis.settings.epoch.ahead)
        closed.insert(events)
        if not self._has_been_left_by_all(closed):
            self._closed = closed

    def tips(self) -> list[Tip]:
        """Return what we have, for a sync message: the events without a self-child, in roster order."""
        return self._open.tips()

    def seqs(self) -> Mapping[MemberId, int]:
        """Return the highest seq of each member; see `EpochEvents.seqs`."""
        return self._open.seqs()

    def on_demand(self) -> list[MemberId]:
        """Return the members whose events nobody fetches or brings by themselves: see `EpochEvents.on_demand`."""
        return self._open.on_demand()

    def observe_tips(self, peer: MemberId, tips: Iterable[Tip]) -> None:
        """Record whether `peer` has own events of ours that we lack: `create` has to continue from them.

        They are `wanted` from then on. If the peer cannot send them, call `forget_tips`.
        """
        if self._own is not None:
            self._own.observe_tips(peer, tips)

    def observe_closing(self, peer: MemberId, tips: Iterable[Tip]) -> None:
        """Take in the tips of a member that has closed the epoch which is open here: to close it, we may need them."""
        self._open.observe_closing(peer, tips)

    def forget_tips(self, peer: MemberId) -> None:
        """Forget which own events of ours `peer` claims to have."""
        if self._own is not None:
            self._own.forget_tips(peer)

    def events_for_peer(
        self, tips: Iterable[Tip], limit: int, want: Iterable[bytes] = (), size: int = MAX_SYNC_BYTES
    ) -> list[Event]:
        """Return the events that a peer in this epoch lacks; see `EpochEvents.events_for_peer`."""
        return self._open.events_for_peer(tips, limit, want, size)

    def wanted(self) -> list[bytes]:
        """Return hashes of events to ask peers for: own ones that peers claim to have, then missing parents."""
        claimed = [] if self._own is None else self._own.lost()
        lost = {tip.hash: None for tip in claimed if tip.hash not in self._open.orphans}
        return [*lost, *(digest for digest in self._open.wanted() if digest not in lost)][:MAX_WANTED]

    # Own events.

    def newest(self, member: MemberId) -> Event | None:
        """Return the newest attached event of a member in this epoch; see `EpochEvents.newest`."""
        return self._open.newest(member)

    def create(
        self, time: int, transactions: Sequence[TransactionTable] = (), other_parents: Sequence[bytes] = ()
    ) -> Event:
        """Return a new own event that continues the newest one, at `time` (ns) or just after that one.

        The first one of an epoch also carries the `open` transaction, before `transactions`. One that follows a fork
        carries the evidence of it, after them. `other_parents` are hashes of attached events by distinct other members.
        The caller writes the event to disk, then inserts it, then sends it.

        Raise ForkError if an own event is known but not attached, EventError if the fields do not make an event.
        """
        own = self._own
        if own is None or not own.is_member:
            raise ForkError("this replica has no key of a member to sign with")
        newest = own.newest
        own.require_all()
        if not all(parent in self.dag for parent in other_parents):
            raise EventError("an other-parent is not attached")
        payload = (*(() if newest is not None else self._open_transactions(own.key)), *transactions)
        proofs = self.pending_evidence()[: MAX_TRANSACTIONS - len(payload)]
        event = make_event(
            own.key,
            epoch=self.epoch_digest,
            seq=0 if newest is None else newest.seq + 1,
            self_parent=None if newest is None else newest.hash,
            other_parents=tuple(other_parents),
            time=time if newest is None else max(time, newest.time + 1),
            reveal=own.reveal(newest, other_parents),
            ledger=self._decided,
            transactions=(*payload, *(dict(proof.as_table()) for proof in proofs)),
        )
        reason = self.dag.check(event)
        if reason is not None:
            raise EventError(reason)
        own.observe_created(event)
        self._forks.mark_submitted(proofs)
        return event

    def can_create(self, other_parents: Sequence[bytes] = ()) -> bool:
        """Return whether the next own event may have these other-parents, by the `Bounds` of this epoch."""
        if self._own is None or not self._own.is_member:
            return False
        newest = self._own.newest
        own = None if newest is None else newest.hash
        return self.dag.check_bounds(self._own.id, own, other_parents) is None

    def _open_transactions(self, key: SigningKey) -> tuple[TransactionTable, ...]:
        """Return what the first own event of an epoch begins with: our seal, and the anchor for the next epoch."""
        record = self.ledger.record
        seal = None if record is None else record.seal(key)
        return (dict(Open(self.epoch_number, seal, Preimages(key, self.epoch_number + 1).anchor).as_table()),)

    @property
    def can_reveal(self) -> bool:
        """Whether own witnesses reveal preimages: the roster has an anchor for our key, and it is ours.

        The first access takes 50 ms (see `Preimages`), so make it before the node has anything else to do.
        """
        return self._own is not None and self._own.can_reveal
