"""One node's copy of the swarm: events in, rounds and ledger effects out, own events that never fork."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
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
from consensus.preimages import Preimages
from consensus.roster import Roster
from consensus.sync import Tip

__all__ = ["ClosedEpoch", "ForkError", "Replica", "RoundEffects"]


class Replica:
    """Sans-I/O. The same events, in whatever order and batches, lead to the same rounds, effects and digests.

    Epochs follow each other by themselves: when `advance` reports that one is closed, all that speaks of
    "the epoch" (`epoch`, `roster`, `dag`, `hashgraph`, `tips` ...) is already about the next one, which is
    empty. The closed one can be `served` to peers that have not closed it yet.

    To recover after a restart, `resume` from the last record, insert what was stored of its epoch and advance;
    then listen to the others before `create`.
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
        self._served: EpochEvents | None = None
        self._forks = Forks()
        self._ordered = opening.ordered
        self._decided = decided
        self._enter(opening)

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

    def _enter(self, opening: Opening) -> None:
        self.opening = opening
        self._forks.begin_epoch(opening.number)
        self._open = EpochEvents(opening, self.refused)
        self.dag = self._open.dag
        self.hashgraph = self.dag.hashgraph
        self._preimages = None if self._key is None else Preimages(self._key, opening.number)
        self._claims: dict[MemberId, Tip] = {}  # by peer: an own event that it speaks of and we lack
        self._created: Event | None = None  # the last own event, until it is inserted

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

    def insert(self, events: Iterable[Event]) -> list[Event]:
        """Attaches what can be attached, and returns it, parents first; the caller has verified signatures.

        An event whose parents are missing waits for them, within bounds; one that breaks a rule, or is of an epoch
        that is not open, is dropped with all that wait for it, and counted in `refused`. What still comes of the
        epoch closed last is only looked at for forks. Nothing that a peer can send makes this raise.
        """
        late = self._served
        attached = self._open.insert(event for event in events if late is None or not late.observe_late(event))
        self._forks.observe(self._open, late)
        if attached and self._served is not None and self._all_went_on(self._served):
            self._served = None
        return attached

    def _all_went_on(self, closed: EpochEvents) -> bool:
        """Whether no member can still need the closed epoch: all that are in both are heard in this one.

        And its record is sealed, so that who is new can go on from that. Before, all that a new member can do is to
        close the epoch by itself; and it may be its seal that lacks, if others hold theirs back.
        """
        staying = {member for member in closed.opening.roster.ids if member in self.roster}
        return self.ledger.sealed is not None and staying <= self._open.active_members()

    def refusals(self) -> list[RefusedEvent]:
        """The latest events of the open epoch that broke a rule, oldest first."""
        return self._open.refusals()

    # Rounds out.

    def advance(self) -> list[RoundEffects]:
        """The rounds that have become decided, each applied to the ledger, in order.

        The round that closes the epoch is the last one: what the DAG says beyond it counts for nothing.
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
        self._served = self._open
        self._enter(Opening.of_record(closing.record))
        return RoundEffects(decided, effects + closing.effects, digest, sealed, closed)

    def unreceived(self) -> tuple[tuple[TransactionTable, ...], ...]:
        """Own transactions without a place in the order, as they were grouped."""
        return () if self._key is None else self._open.unreceived(self._key.id)

    def _judges(self, decision: Decision) -> tuple[Judge, ...]:
        events = (self.dag.events[row] for row in decision.judges)
        judges = (Judge(event.hash, event.creator, event.reveal) for event in events)
        return tuple(sorted(judges, key=lambda judge: judge.hash))

    def needs_rounds(self) -> bool:
        """Whether further rounds are needed: for transactions, for a seed, for our seal, for proof of a fork."""
        members = (self.dag.index[self.dag.events[row].creator] for row in self._open.unordered)
        unplaced = any(not self.dag.has_forked(member) for member in members)
        return (
            self.ledger.waits_for_beacon
            or unplaced
            or (self.epoch_number > 0 and self._unopened())
            or bool(self.pending_evidence())
        )

    def _unopened(self) -> bool:
        """Whether we are a member that has not gone on into this epoch yet."""
        return self._key is not None and self._key.id in self.roster and self.newest(self._key.id) is None

    def pending_evidence(self) -> list[Evidence]:
        """Evidence of forks seen here that the ledger has not heard, and no own event of this epoch told it."""
        return [] if self._key is None else self._forks.pending(self.ledger, self._key.id)

    # What others have and lack.

    def find_epoch(self, epoch: bytes) -> EpochEvents | None:
        """The events of an epoch that peers can ask for: the open one, or the one closed last."""
        if epoch == self.epoch_digest:
            return self._open
        if self._served is not None and epoch == self._served.opening.digest:
            return self._served
        return None

    @property
    def held_epochs(self) -> list[EpochEvents]:
        """The epoch closed last, as long as it is served, and the open one."""
        return [self._open] if self._served is None else [self._served, self._open]

    def restore_closed(self, opening: Opening, events: Iterable[Event]) -> None:
        """Serves the epoch before this one from its stored events, after a restart; see `served`."""
        closed = EpochEvents(opening, self.refused)
        closed.insert(events)
        if not self._all_went_on(closed):
            self._served = closed

    def tips(self) -> list[Tip]:
        """What we have, for a sync message: events without a self-child, in roster order."""
        return self._open.tips()

    def observe_tips(self, peer: MemberId, tips: Iterable[Tip]) -> None:
        """Notes whether a peer has own events that are not here: `create` has to continue from them.

        They are `wanted` from then on. A peer that speaks of what it cannot send is to be dismissed.
        """
        own = [tip for tip in tips if self._key is not None and tip.creator == self._key.id]
        self.forget_tips(peer)
        if own:
            self._claims[peer] = max(own, key=lambda tip: tip.seq)

    def forget_tips(self, peer: MemberId) -> None:
        """Forgets what `peer` said of own events."""
        self._claims.pop(peer, None)

    def _lost(self) -> list[Tip]:
        """Own events beyond the newest one here that peers speak of."""
        newest = self.newest(self._key.id) if self._key is not None and self._claims else None
        seq = -1 if newest is None else newest.seq
        return [tip for tip in self._claims.values() if tip.seq > seq]

    def events_for_peer(
        self, tips: Iterable[Tip], limit: int, want: Iterable[bytes] = (), size: int = MAX_SYNC_BYTES
    ) -> list[Event]:
        """What a peer in this epoch lacks; see `EpochEvents.missing`."""
        return self._open.events_for_peer(tips, limit, want, size)

    def wanted(self) -> list[bytes]:
        """Hashes of events to ask peers for: own ones that they spoke of, then missing parents."""
        lost = {tip.hash: None for tip in self._lost() if tip.hash not in self._open.orphans}
        return [*lost, *(digest for digest in self._open.wanted() if digest not in lost)][:MAX_WANTED]

    # Own events.

    def newest(self, member: MemberId) -> Event | None:
        """The newest attached event of a member in this epoch; see `EpochEvents.newest`."""
        return self._open.newest(member)

    def create(
        self, time: int, transactions: Sequence[TransactionTable] = (), other_parents: Sequence[bytes] = ()
    ) -> Event:
        """A new own event that continues the newest one, at `time` (ns) or just after that one.

        The first one of an epoch also carries the `open` transaction, before `transactions`, and one that
        follows upon a fork the evidence of it, after them.
        `other_parents` are hashes of attached events by distinct other members. The caller writes the event
        to disk, then inserts it, then sends it. ForkError if an own event is known of but not attached;
        EventError if the fields make no event.
        """
        if self._key is None or self._key.id not in self.roster:
            raise ForkError("this replica has no key of a member to sign with")
        newest = self.newest(self._key.id)
        self._require_all_own_events(self._key.id)
        if not all(parent in self.dag for parent in other_parents):
            raise EventError("an other-parent is not attached")
        said = (*self._opening_words(newest), *transactions)
        proofs = self.pending_evidence()[: MAX_TRANSACTIONS - len(said)]
        event = make_event(
            self._key,
            epoch=self.epoch_digest,
            seq=0 if newest is None else newest.seq + 1,
            self_parent=None if newest is None else newest.hash,
            other_parents=tuple(other_parents),
            time=time if newest is None else max(time, newest.time + 1),
            reveal=self._reveal(newest, other_parents),
            ledger=self._decided,
            transactions=(*said, *(dict(proof.as_table()) for proof in proofs)),
        )
        reason = self.dag.check(event)
        if reason is not None:
            raise EventError(reason)
        self._created = event
        self._forks.mark_submitted(proofs)
        return event

    def _opening_words(self, newest: Event | None) -> tuple[TransactionTable, ...]:
        """What the first own event of an epoch begins with: our seal, and the anchor for the next epoch."""
        if newest is not None or self._key is None:
            return ()
        record = self.ledger.record
        seal = None if record is None else record.seal(self._key)
        return (dict(Open(self.epoch_number, seal, Preimages(self._key, self.epoch_number + 1).anchor).as_table()),)

    @property
    def can_reveal(self) -> bool:
        """Whether own witnesses show preimages: the roster has an anchor for our key, and it is ours.

        The first look takes 50 ms (see `Preimages`), so take it before the node has anything else to do.
        """
        if self._key is None or self._preimages is None or self._key.id not in self.roster:
            return False
        anchor = self.roster.member(self._key.id).anchor
        return anchor is not None and anchor == self._preimages.anchor

    def _reveal(self, newest: Event | None, others: Sequence[bytes]) -> bytes | None:
        """The preimage that the own event after `newest` has to show, if it will be a witness."""
        if self._key is None or self._preimages is None or not self.can_reveal:
            return None
        number, is_witness = self.dag.preview(self._key.id, None if newest is None else newest.hash, others)
        return self._preimages.preimage(number) if is_witness else None

    def _require_all_own_events(self, own: MemberId) -> None:
        if self._created is not None and self._created.hash not in self.dag:
            raise ForkError(f"own event {self._created.seq} was made before and has not been inserted")
        waiting = self._open.orphans.by_creator(own)
        if waiting:
            raise ForkError(f"own event {waiting[0].seq} waits for parents that are missing here")
        for lost in self._lost():
            raise ForkError(f"a peer speaks of own event {lost.seq}, which is not here")
