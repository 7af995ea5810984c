"""The task that owns a node's replica: takes events in, stores them, makes own ones, tells of rounds."""

import math
import random
from collections.abc import Iterable, Sequence
from dataclasses import replace

import structlog
import trio

from consensus.epoch import EpochRecord, SealedRecord
from consensus.event import Event, TransactionTable, make_event
from consensus.genesis import Genesis
from consensus.keys import MemberId
from consensus.replica import ClosedEpoch, ForkError, Replica, RoundEffects
from consensus.sync import Tip, seqs_of
from node.config.identity import Identity
from node.member.broadcast import RoundBroadcast
from node.member.creation import Creation, Plan
from node.member.divergence import Divergence
from node.member.health import Health
from node.member.inbox import Delivery, Inbox, Jump
from node.member.listening import Listening
from node.member.recomputation import Recomputation
from node.member.record_comparison import PeerRecords
from node.member.recovery import Recovery, ids_of, restore, unplaced
from node.member.status import MemberStatus, Pace
from node.member.transaction_pool import TransactionPool
from node.member.verification import EventVerifier
from node.store import Store
from node.system.change_counter import ChangeCounter
from node.system.clock import Clock, SteadyClock

_SLICE = 64  # events attached at a time, so that others get their turn
_UNFIT = 0.5  # seconds until an unfit node looks at itself again

_log = structlog.get_logger(__name__)
__all__ = ["Member", "MemberStatus", "Pace"]


class Member:
    """This node's part in the swarm. `run` owns the replica; all others read it, or hand things in."""

    def __init__(
        self,
        *,
        genesis: Genesis,
        identity: Identity,
        store: Store,
        verifier: EventVerifier,
        clock: Clock,
        chance: random.Random,
        pace: Pace | None = None,
    ) -> None:
        self.id = identity.id
        self.genesis = genesis
        self.replica = Replica.found(genesis, identity.key)
        self.verifier = verifier
        self._key = identity.key
        self.dag_changes = ChangeCounter()  # events were attached
        self.removed_by: EpochRecord | None = None  # the sealed record of a later epoch, in which we are not
        self._store, self._clock, self._random = store, SteadyClock(clock), chance
        self._pace = pace or Pace()
        self._creation: Creation | None = None  # None while we are no member
        self._listening: Listening | None = None
        self._begin_epoch(listen=True)
        self._pool = TransactionPool()
        self.health = Health()
        self._inbox = Inbox(self.health)
        self._audience = RoundBroadcast()
        self._recovery = Recovery(store, verifier, genesis)
        self.divergence = Divergence(identity.id)
        self.recomputation = Recomputation(self.divergence, self._recovery, identity.key)
        self._created_at, self._gap = -math.inf, 0.0
        self._decided_at: float | None = None

    def _begin_epoch(self, *, listen: bool) -> None:
        """Sets up what is about one epoch only.

        Who has listened once, among members of more than 2/3 of the weight that were no further than itself,
        goes on without: what it ever made in a later epoch, it made in this run.
        """
        self._unordered: dict[bytes, tuple[int, ...]] = {}  # own events: ids of their transactions
        self._orphans: set[bytes] = set()  # events that are in the store, but not attached
        self._creation = Creation(self.replica.roster, self.id) if self.id in self.replica.roster else None
        self._listening = Listening(self.replica, self.id, self._pace.patience) if listen else None

    # For others.

    def submit(self, transactions: Sequence[TransactionTable]) -> None:
        """Puts transactions forward; they travel in one event, in this order, and stay until it is ordered.

        Raises EventError if they cannot be part of an event, BacklogError if too much waits already.
        """
        probe = make_event(
            self._key,
            epoch=self.genesis.digest,
            seq=0,
            self_parent=None,
            time=0,
            transactions=tuple(transactions),
        )
        self._pool.add(transactions, len(probe.raw))
        self._inbox.wake()

    def subscribe(self) -> trio.MemoryReceiveChannel[RoundEffects]:
        """Every round decided from now on, in order; from the first one if `run` was not started yet."""
        return self._audience.join()

    async def take(self, events: Sequence[Event]) -> None:
        """Hands in events with checked signatures; returns when those that can be attached are."""
        if events:
            await self._inbox.put(Delivery(events))

    async def observe_peer_records(self, said: PeerRecords) -> None:
        """See `CatchUpTarget.observe_peer_records`."""
        self.divergence.observe_peers(self.replica.ledger.record, said, self.replica.roster, trio.current_time())
        closed = await self.recomputation.recompute_record(said, self.replica)
        if closed is not None:
            await self.enter(closed.record, closed.snapshot, (SealedRecord(closed.record, ()),))

    def observe_refutation(self, own: EpochRecord, sealed: SealedRecord) -> None:
        """See `CatchUpTarget.observe_refutation`."""
        self.divergence.observe_refutation(own, sealed)

    def observe_roster(self, record: EpochRecord) -> bool:
        """See `CatchUpTarget.observe_roster`."""
        self.removed_by = None if self.id in record.roster else record
        return self.removed_by is None

    async def enter(self, record: EpochRecord, snapshot: bytes, corrected: Sequence[SealedRecord] = ()) -> None:
        """See `CatchUpTarget.enter`."""
        replica = await restore(self.genesis, self._key, record, snapshot)
        await self._inbox.put(Delivery(jump=Jump(replica, record, snapshot, corrected)))
        await self.recomputation.explain_jump()

    def hear(self, peer: MemberId, tips: Iterable[Tip], *, ahead: bool = False) -> None:
        """What a peer says it has of our epoch, while it is in that one or `ahead` of it.

        It matters before the first own event after a start, and if it is much more.
        """
        tips = list(tips)
        self.health.hear(peer, seqs_of(tips), seqs_of(self.replica.tips()))
        if self._listening is not None:
            self._listening.hear(peer, tips, ahead=ahead)
            self._inbox.wake()

    def knows(self, digest: bytes) -> bool:
        """Whether the event is attached."""
        return digest in self.replica.dag

    def last_id(self) -> int:
        """The highest transaction id that we have used, or put forward without its having a place yet; -1: none."""
        waiting = [number for ids in self._unordered.values() for number in ids]
        return max(self.replica.ledger.last_id(self.id), self._pool.last_id(), *waiting, -1)

    def outstanding(self) -> bool:
        """Whether somebody waits for rounds: own transactions here, anybody's without a place, the ledger."""
        return self._speaks() or self.replica.undecided()

    def _speaks(self) -> bool:
        """Whether there are own transactions to put forward; while our ledger is not the others', none are."""
        return len(self._pool) > 0 and not self.divergence.dissent

    def status(self) -> MemberStatus:
        """For status pages and metrics."""
        return MemberStatus(
            epoch=self.replica.number,
            listening=self._listening is not None,
            events=len(self.replica.dag),
            ordered=self.replica.ledger.ordered,
            pending=len(self._pool) + sum(len(ids) for ids in self._unordered.values()),
            round=self.replica.ledger.round,
            decided_at=self._decided_at,
            dissent=self.divergence.dissent,
            ailment=self._ailment(),
        )

    def _ailment(self) -> str:
        replica = self.replica
        return self.health.ailment(replica.roster, lambda: seqs_of(replica.tips()), trio.current_time())

    # The owner.

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Replays the store, reports that it is ready, then works until cancelled. Raises StoreError."""
        await self._replay()
        task_status.started()
        while True:
            delivery = await self._inbox.next(await self._create_if_due())
            if delivery is not None:
                await self._take_in(delivery)
                delivery.done.set()
            if self.divergence.wants_recomputation():
                await self._recompute_ledger()

    async def _recompute_ledger(self) -> None:
        """Compute the ledger of this epoch again from the disk. Rounds that were published are not published again.

        The epoch may close in a round that was published: the wrong ledger had not seen that.
        """
        published = self.replica.ledger.round
        self.replica, rounds = await self.recomputation.recompute_ledger(self.replica)
        for decided in rounds:
            if decided.round.number > published:
                self._publish(decided)
            await self._keep(decided)

    async def _replay(self) -> None:
        self.replica, opened = await self._recovery.resume(self._key)
        self._begin_epoch(listen=self._listening is not None)
        if opened is not None:
            self._pool.put_back(opened.unreceived)
        opening = self.replica.opening
        before = await self._recovery.read_before(opening)
        if before is not None:
            self.replica.serve(*before)

        async def take(events: Sequence[Event]) -> None:
            if self.replica.opening is opening:
                attached = self.replica.insert(events)
                self._orphans.update(event.hash for event in events if not self.knows(event.hash))
                await self._attached(attached)

        kept = await self._recovery.replay(opening, take)
        _log.debug("replayed", events=kept, epoch=self.replica.number, round=self.replica.ledger.round)

    async def _take_in(self, delivery: Delivery) -> None:
        if delivery.jump is not None:
            await self._jump(delivery.jump)
        for start in range(0, len(delivery.events), _SLICE):
            some = delivery.events[start : start + _SLICE]
            attached = self.replica.insert(some)
            fresh = [event for event in attached if event.hash not in self._orphans]
            self._orphans.difference_update(event.hash for event in attached)
            if fresh:
                await self._store.append(fresh)
            await self._attached(attached)
            self.health.waiting -= len(some)

    async def _attached(self, events: Sequence[Event]) -> None:
        for event in events:
            if self._creation is not None:
                self._creation.attach(event)
            if event.creator == self.id:
                self._clock.reach(event.time)
                self._unordered[event.hash] = ids_of(event)
                self._pool.taken(ids_of(event))
        self.divergence.observe_events(events)
        for decided in self.replica.advance():
            self.divergence.observe_round(decided)
            await self._follow(decided)
        self.divergence.update(self.replica.roster)
        if events:
            self.dag_changes.increment()

    async def _follow(self, decided: RoundEffects) -> None:
        self._publish(decided)
        await self._keep(decided)

    async def _keep(self, decided: RoundEffects) -> None:
        if decided.sealed is not None:
            await self._store.save_seals(decided.sealed)
        if decided.closed is not None:
            await self._turn(decided.closed)

    async def _jump(self, jump: Jump) -> None:
        """Goes on in a later epoch, unless we came there by ourselves, or in the right one; own events may be there."""
        if jump.corrected or jump.replica.number > self.replica.number:
            groups = unplaced(self.replica, self.id, jump.replica.ledger)
            self.divergence.observe_jump(jump.record, jump.replica.ledger, self.replica)
            self.replica, self._listening = jump.replica, Listening(jump.replica, self.id, self._pace.patience)
            await self._turn(ClosedEpoch(jump.record, jump.snapshot, tuple(groups)), jump.corrected)

    async def _turn(self, closed: ClosedEpoch, corrected: Sequence[SealedRecord] = ()) -> None:
        """Goes on in the next epoch: on disk first, so that no own event is in it before.

        With all that waits: much of it was in own events of earlier epochs, which nobody will read again.
        """
        self._pool.put_back(closed.unreceived)
        stored = replace(closed, unreceived=self._pool.groups())
        await (self._store.correct(corrected, stored) if corrected else self._store.turn(stored))
        self.health.forget()
        self._begin_epoch(listen=self._listening is not None)
        record, again = closed.record, len(closed.unreceived)
        _log.info("epoch", number=record.number, members=len(record.roster), ordered=record.ordered, again=again)

    def _publish(self, effects: RoundEffects) -> None:
        ordered = [place.event for place in effects.round.events]
        if self._creation is not None:
            self._creation.forget(ordered)
        for event in ordered:
            self._unordered.pop(event.hash, None)
        self._decided_at = trio.current_time()
        self._clock.reach(self.replica.ledger.time)
        self._audience.tell(effects)

    async def _create_if_due(self) -> float:
        """Makes an own event if there is reason to; returns when to look again if nothing comes in."""
        now = trio.current_time()
        if self._creation is None:
            return math.inf
        if self._listening is not None:
            if not self._listening.over(now):
                return self._listening.deadline
            self._listening = None
        urgent = self.outstanding()
        heartbeat = self._created_at + self._pace.heartbeat
        due = self._created_at + self._gap if urgent else heartbeat
        if now < due:
            return due
        if self._ailment():
            return now + _UNFIT
        plan = self._creation.plan(self.replica.hashgraph.forkers())
        if plan is None or not (plan.advances or self._speaks() or now >= heartbeat):
            return heartbeat if now < heartbeat else math.inf
        await self._create(plan)
        return self._created_at + self._gap

    async def _create(self, plan: Plan) -> None:
        self._set_pace()
        transactions = self._pool.fill() if self._speaks() else ()
        try:
            event = self.replica.create(self._clock.time_ns(), transactions, plan.other_parents)
        except ForkError as error:
            _log.warning("no own event", reason=str(error))
            return
        begun = trio.current_time()
        await self._store.append_own(event)
        self.health.took("a write to the disk", trio.current_time() - begun, trio.current_time())
        await self._attached(self.replica.insert([event]))

    def _set_pace(self) -> None:
        self._created_at = trio.current_time()
        self._gap = self._pace.busy * (0.8 + 0.4 * self._random.random())
