"""The task that owns a node's replica. Everything that the node takes in or says passes through it.

Other tasks read the replica as they like, and hand things in: events that came from peers, transactions to put forward,
what peers say, or another epoch to go on in. Only `Member.run` changes the replica, one step at a time:

    others ──> inbox ──> attach to the DAG ──> write to the store ──┐
                                                                    ├──> observe ──> decided rounds ──> subscribers
    timer, submit ──> plan ──> sign ──> write, durably ──> attach ──┘                      │
                                                                                           └──> close: the next epoch

Three orders of writing keep the node honest through a crash at any moment:

- An own event is durable before anything else sees it (`_create`, the only place where one is made). If it were shown
  first, a crash could make the node forget it and sign another one with the same number.
- After a start, and after a time in which it did not run or heard from nobody, the node listens before it makes an
  event (`Listening`): peers may know one that its disk lost, or that another process with its key has made
  (`SecondInstance`). Until then, own events that nobody else has are kept back (`hidden`).
- The next epoch is durable before anything is done in it (`_begin_next_epoch`).

While its ledger is not the others' (`divergence`), the node orders but puts nothing forward.
"""

import math
import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import structlog
import trio

from consensus.epoch import EpochRecord, SealedRecord
from consensus.event import Event, TransactionTable, measure_event
from consensus.genesis import Genesis
from consensus.keys import MemberId
from consensus.replica import ClosedEpoch, ForkError, Replica, RoundEffects
from consensus.sync import Tip, seqs_of
from node.config.identity import Identity
from node.member.absence import Absence
from node.member.broadcast import RoundBroadcast
from node.member.creation import CreationPlanner, Plan
from node.member.divergence import Divergence
from node.member.health import Health
from node.member.inbox import Delivery, Inbox, Jump
from node.member.key_watch import KeyWatch
from node.member.listening import Listening
from node.member.recomputation import Recomputation
from node.member.record_comparison import PeerRecords
from node.member.recovery import Recovery, restore, transactions_without_effect
from node.member.second_instance import SecondInstance
from node.member.status import MemberStatus
from node.member.timing import CreationTimer, CreationTiming
from node.member.transaction_pool import TransactionPool
from node.member.unseen_events import UnseenEvents
from node.member.verification import EventVerifier
from node.store import Store
from node.system.change_counter import ChangeCounter
from node.system.clock import Clock, SteadyClock
from node.system.histogram import Histogram

_MAX_ATTACHED = 64  # events attached at a time, so that other tasks get their turn
_UNFIT_S = 0.5  # until an unfit node looks at itself again
_LOOK_S = 5.0  # until a node looks at itself again in any case
_ROUND_BOUNDS_S = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)
_ALONE_S = 10.0  # without a word from anybody, after which a node listens again

_log = structlog.get_logger(__name__)


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
        timing: CreationTiming | None = None,
        asks_own_address: bool = False,
        may_be_copy: bool = False,
    ) -> None:
        """Set up a member. With `asks_own_address` it makes no event before `observe_own_address`.

        `may_be_copy` if what the store holds may be a copy, while the process that they were copied from runs on.
        """
        self.id = identity.id
        self.genesis = genesis
        self.verifier = verifier
        self._key = identity.key
        self._store = store
        self._clock = SteadyClock(clock)
        self._absence = Absence(clock)
        self._random = chance
        self._timing = timing or CreationTiming()
        self._timer = CreationTimer(self._timing, chance)
        self._pool = TransactionPool()
        self._broadcast = RoundBroadcast()
        self._decided_at: float | None = None  # seconds of trio's clock
        self._rounds = Histogram(_ROUND_BOUNDS_S)
        self.health = Health()
        self._inbox = Inbox(self.health)
        self.dag_changes = ChangeCounter()  # events were attached
        self._watch = KeyWatch(self.id, may_be_copy=may_be_copy)
        self._unseen = UnseenEvents(self.id)
        self._heard_at = -math.inf  # when a peer last said what it has
        self._has_asked = not asks_own_address
        self.removed_by: EpochRecord | None = None  # the sealed record of a later epoch of which we are not a member
        self._recovery = Recovery(store, verifier, genesis)
        self.divergence = Divergence(identity.id)
        self.recomputation = Recomputation(self.divergence, self._recovery, identity.key)
        self.replica = Replica.found(genesis, identity.key)
        self._begin_epoch(listen=True)

    def _begin_epoch(self, *, listen: bool) -> None:
        """Set up what is about one epoch only.

        Who has listened once, among members of more than 2/3 of the weight that were no further than itself,
        goes on without: what it ever made in a later epoch, it made in this run.
        """
        is_member = self.id in self.replica.roster
        self._orphans: set[bytes] = set()  # hashes of events that are in the store, but not attached
        self._pool.begin_epoch()
        self._planner = CreationPlanner(self.replica.roster, self.id) if is_member else None
        self._listening = self._listen() if listen else None

    def _listen(self) -> Listening:
        return Listening(self.replica, self.id, grace_s=self._timing.grace_s, quiet_s=self._timing.quiet_s)

    # Handed in by other tasks.

    def submit(self, transactions: Sequence[TransactionTable]) -> None:
        """Put transactions forward; they travel in one event, in this order, and stay until it is ordered.

        Raise EventError if they cannot be part of an event, BacklogError if too much waits already.
        """
        if transactions:
            self._pool.add(transactions, measure_event(tuple(transactions)))
        self._inbox.wake()

    async def insert(self, events: Sequence[Event]) -> None:
        """Hand in events with verified signatures; return when those that can be attached are."""
        if events:
            await self._inbox.put(Delivery(events))

    async def prepare_exchange(self) -> None:
        """Return when everything is ready to tell a peer what is here: an own event is made first if that helps.

        Somebody has to wait for rounds, and the own event before it must not be too new; see `CreationTiming`.
        """
        if trio.current_time() >= self._timer.next_prompt_at and self.wants_rounds():
            await self._inbox.put(Delivery(precedes_exchange=True))

    def observe_tips(self, peer: MemberId, tips: Iterable[Tip], *, ahead: bool = False) -> None:
        """Take in what a peer says it has of our epoch; it is in that epoch, or `ahead` of it.

        It matters before the first own event after a start, and if the peer has much more than we.
        """
        tips = list(tips)
        self._heard_at = trio.current_time()
        self._unseen.observe_seen(tip.hash for tip in tips)
        self.health.observe_seqs(peer, seqs_of(tips, self.replica.on_demand()), self.replica.seqs())
        if ahead:
            self.replica.observe_closing(peer, tips)
        if self._listening is not None:
            self._listening.observe_tips(peer, tips, ahead=ahead)
            self._inbox.wake()

    def observe_own_address(self) -> None:
        """Take in that nobody else answers with our key where members ask us: own events may be made."""
        self._has_asked = True
        self._inbox.wake()

    # Catching up, as `node.statesync.catchup.CatchUpTarget`.

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

    # Read by other tasks.

    def subscribe(self) -> trio.MemoryReceiveChannel[RoundEffects]:
        """Return a channel with every round decided from now on; from the first one if `run` was not started yet."""
        return self._broadcast.subscribe()

    def has_event(self, digest: bytes) -> bool:
        """Return whether the event with this hash is attached."""
        return digest in self.replica.dag

    def hidden(self) -> Mapping[bytes, Event]:
        """Return own events, by hash, that nobody has and nobody is to get now.

        They are kept back while another process with our key may have made others in their place, and for good once it
        is known that there is one: nobody is convicted of what nobody sees.
        """
        is_sure = self._listening is None and not self.second_instance.reason and not self._absence.was_away()
        return {} if is_sure else self._unseen.by_hash

    def was_heard(self) -> bool:
        """Return whether others have all that we made in this epoch, and there is something."""
        return self.replica.newest(self.id) is not None and not self._unseen.by_hash

    async def read_closed(self, number: int, start: int, count: int) -> tuple[bytes, list[bytes]]:
        """See `Recovery.read_closed`."""
        return await self._recovery.read_closed(number, start, count)

    def proven_tips(self, peer: MemberId) -> list[Tip]:
        """Return what a peer had when it made its newest event that is here, as that event builds on it.

        Leave out members that have forked: a seq does not say which of their events it had.
        """
        dag, seqs = self.replica.dag, {} if self._planner is None else self._planner.seen_by(peer)
        chains = [(dag.index[member], seq) for member, seq in seqs.items()]
        events = [dag.events[dag.chain(index, seq)[0]] for index, seq in chains if not dag.has_forked(index)]
        return [Tip(event.creator, event.seq, event.hash) for event in events]

    def last_id(self) -> int:
        """Return the highest transaction id that we have used or put forward; -1 if there is none."""
        return max(self.replica.ledger.last_id(self.id), self._pool.last_id())

    def wants_rounds(self) -> bool:
        """Return whether somebody waits for rounds: own transactions, anybody's without a place, or the ledger."""
        return self._has_transactions() or self.replica.needs_rounds()

    def status(self) -> MemberStatus:
        """Return the present state, for status pages and metrics."""
        return MemberStatus(
            epoch=self.replica.epoch_number,
            listening=self._listening is not None,
            events=len(self.replica.dag),
            ordered=self.replica.ledger.ordered,
            pending=self._pool.pending,
            round=self.replica.ledger.round,
            decided_at=self._decided_at,
            rounds=self._rounds,
            dissent=self.divergence.dissent,
            ailment=self._ailment(),
            second_instance=self.second_instance.reason,
        )

    @property
    def second_instance(self) -> SecondInstance:
        """What is known about another process with our key."""
        return self._watch.second_instance

    @property
    def must_rest(self) -> bool:
        """Whether nothing is to be put forward: our ledger is in doubt, or another process has our key."""
        return bool(self.divergence.dissent or self.second_instance.reason)

    def _has_transactions(self) -> bool:
        """Return whether there are own transactions to put into an event; none are while `must_rest`."""
        return self._pool.has_waiting and not self.must_rest

    def _ailment(self) -> str:
        replica = self.replica
        return self.second_instance.reason or self.health.ailment(replica.roster, replica.seqs, trio.current_time())

    # The task that owns the replica.

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Replay the store, report that the member is ready, then work until cancelled.

        Raise StoreError; IdentityError if another process has our key before this one has made an event; OutdatedError
        if the swarm decides what this program does not know, in the round in which it does: no event follows.
        """
        await self._replay()
        task_status.started()
        self._absence.expect(0.0)
        newest = self.replica.newest(self.id)
        self._watch.look_for_copy(newest, -1 if newest is None else await self._store.newest_own())
        delivery: Delivery | None = None
        while True:
            if self._absence.was_away():
                self._listen_again("this process, or its machine, did not run for a while")
            elif self._is_alone():
                self._listen_again(f"nobody was heard for {_ALONE_S:g} s")
            is_prompt = delivery is not None and delivery.precedes_exchange
            until = min(await self._create_if_due(is_prompt=is_prompt), trio.current_time() + _LOOK_S)
            if delivery is not None:
                delivery.done.set()  # if an exchange follows, only now
            self._absence.expect(until - trio.current_time())
            delivery = await self._inbox.next(until)
            if delivery is not None:
                await self._take_in(delivery)
                if not delivery.precedes_exchange:
                    delivery.done.set()
            if self.divergence.wants_recomputation():
                await self._recompute_ledger()
                self._absence.expect(0.0)

    async def _replay(self) -> None:
        """Bring the replica to where the store is."""
        self.replica, opened = await self._recovery.resume(self._key)
        self._begin_epoch(listen=self._listening is not None)
        if opened is not None:
            self._pool.put_back(opened.unreceived)
        opening = self.replica.opening
        before = await self._recovery.read_before(opening)
        if before is not None:
            self.replica.restore_closed(*before)

        async def insert(events: Sequence[Event]) -> None:
            if self.replica.opening is opening:
                attached = self.replica.insert(events)
                self._orphans.update(event.hash for event in events if not self.has_event(event.hash))
                await self._observe_attached(attached)

        stored = await self._recovery.replay(opening, insert)
        self._rounds = Histogram(_ROUND_BOUNDS_S)  # those of the store took their time before this start
        _log.debug("replayed", events=stored, epoch=self.replica.epoch_number, round=self.replica.ledger.round)

    def _is_alone(self) -> bool:
        """Return whether nobody was heard for long, and we cannot decide anything by ourselves."""
        is_silent = trio.current_time() > self._heard_at + _ALONE_S
        return is_silent and not self.replica.roster.supermajority([self.id])

    def _listen_again(self, reason: str) -> None:
        """Listen as after a start: somebody may have started another process with our key in place of this one."""
        if self._listening is None and self._planner is not None:
            self._listening = self._listen()
            _log.warning("listening again", reason=reason)

    async def _take_in(self, delivery: Delivery) -> None:
        if delivery.jump is not None:
            await self._jump(delivery.jump)
        self._watch.observe_received(delivery.events, self.replica)
        for start in range(0, len(delivery.events), _MAX_ATTACHED):
            events = delivery.events[start : start + _MAX_ATTACHED]
            attached = self.replica.insert(events, sent=True)
            new = [event for event in attached if event.hash not in self._orphans]
            self._orphans.difference_update(event.hash for event in attached)
            if new:
                await self._store.append(new)
                self._watch.observe_stored(new, self._listening)
            await self._observe_attached(attached)
            self._unseen.observe_seen(event.hash for event in events)
            self.health.waiting -= len(events)

    async def _recompute_ledger(self) -> None:
        """Compute the ledger of this epoch again from the disk. Rounds that were published are not published again.

        The epoch may close in a round that was published: the wrong ledger had not seen that.
        """
        published = self.replica.ledger.round
        self.replica, rounds = await self.recomputation.recompute_ledger(self.replica)
        for decided in rounds:
            if decided.round.number > published:
                self._publish(decided)
            await self._write_epoch_changes(decided)

    # What follows from events and rounds.

    async def _observe_attached(self, events: Sequence[Event]) -> None:
        """Take in attached events, which are in the store, and the rounds that they decide."""
        for event in events:
            self._unseen.observe_attached(event)
            if self._planner is not None:
                self._planner.observe_attached(event)
            if event.creator == self.id:
                self._clock.reach(event.time)
                self._pool.observe_attached(event)
        self.divergence.observe_events(events)
        for decided in self.replica.advance():
            self.divergence.observe_round(decided)
            self._publish(decided)
            await self._write_epoch_changes(decided)
        self.divergence.update(self.replica.roster)
        if events:
            self.dag_changes.increment()

    def _publish(self, decided: RoundEffects) -> None:
        ordered = [place.event for place in decided.round.events]
        if self._planner is not None:
            self._planner.observe_ordered(ordered)
        for event in ordered:
            self._pool.observe_ordered(event)
        now = trio.current_time()
        if self._decided_at is not None:
            self._rounds.observe(now - self._decided_at)
        self._decided_at = now
        self._clock.reach(self.replica.ledger.time)
        self._broadcast.publish(decided)

    async def _write_epoch_changes(self, decided: RoundEffects) -> None:
        if decided.sealed is not None:
            await self._store.write_seals(decided.sealed)
        if decided.closed is not None:
            await self._begin_next_epoch(decided.closed)

    async def _jump(self, jump: Jump) -> None:
        """Go on in the epoch of the jump, if it is later than ours or corrects it; own events may be in it already."""
        if jump.corrected or jump.replica.epoch_number > self.replica.epoch_number:
            groups = transactions_without_effect(self.replica, self.id, jump.replica.ledger)
            self.divergence.observe_jump(jump.record, jump.replica.ledger, self.replica)
            self.replica, self._watch.knows_own = jump.replica, False
            self._listening = self._listen()
            await self._begin_next_epoch(ClosedEpoch(jump.record, jump.snapshot, tuple(groups)), jump.corrected)

    async def _begin_next_epoch(self, closed: ClosedEpoch, corrected: Sequence[SealedRecord] = ()) -> None:
        """Go on in the epoch that `closed` opens: on disk first, so that no own event is in it before.

        All waiting transactions are written with it: many were in own events of earlier epochs, which nobody will read
        again. `corrected` are records that replace those in the store.
        """
        self._pool.put_back(closed.unreceived)
        stored = replace(closed, unreceived=self._pool.groups())
        await (self._store.replace_records(corrected, stored) if corrected else self._store.begin_epoch(stored))
        self.health.begin_epoch()
        self._begin_epoch(listen=self._listening is not None)
        record, again = closed.record, len(closed.unreceived)
        _log.info("epoch", number=record.number, members=len(record.roster), ordered=record.ordered, again=again)

    # Own events.

    async def _create_if_due(self, *, is_prompt: bool) -> float:
        """Make an own event if there is reason to; return when to look again if nothing comes in (trio's clock).

        With `is_prompt` a peer gets it at once, so it comes sooner after the one before.
        """
        now = trio.current_time()
        if self._planner is None or not self._has_asked or self.second_instance.reason:
            return math.inf
        if self._listening is not None:
            if not self._listening.is_over(now, self.second_instance.lost_at):
                return self._listening.deadline(self.second_instance.lost_at)
            self._listening, self._watch.knows_own = None, True
        heartbeat = self._timer.next_heartbeat_at
        due = self._timer.next_busy_at if self.wants_rounds() else heartbeat
        if now < (self._timer.next_prompt_at if is_prompt and self.wants_rounds() else due):
            return due
        if self._ailment():
            return now + _UNFIT_S
        plan = self._planner.plan(self.replica.hashgraph.forkers())
        if plan is None or not (plan.advances or self._has_transactions() or now >= heartbeat):
            return heartbeat if now < heartbeat else math.inf
        if not self.replica.can_create(plan.other_parents):
            return math.inf  # not before something comes in
        await self._create(plan)
        return self._timer.next_busy_at

    async def _create(self, plan: Plan) -> None:
        """Sign the next own event, make it durable, then attach it. Nothing else in the node makes own events."""
        transactions = self._pool.fill() if self._has_transactions() else ()
        self._timer.restart(trio.current_time(), len(transactions))
        try:
            event = self.replica.create(self._clock.time_ns(), transactions, plan.other_parents)
        except ForkError as error:
            _log.warning("no own event", reason=str(error))
            return
        begun = trio.current_time()
        self.second_instance.has_created = True
        await self._store.append_own(event)
        self.health.observe_delay("a write to the disk", trio.current_time() - begun, trio.current_time())
        await self._observe_attached(self.replica.insert([event]))
