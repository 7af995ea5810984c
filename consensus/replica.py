"""One node's copy of the swarm: events in, rounds and ledger effects out, own events that never fork."""

from collections import Counter, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice

from consensus.dag import Dag
from consensus.event import Event, EventError, Transaction, make_event
from consensus.genesis import Genesis
from consensus.hashgraph import Decision
from consensus.keys import MemberId, SigningKey
from consensus.ledger import Effect, Ledger
from consensus.ordered import DecidedRound, Judge, Ordered
from consensus.orphans import Orphans
from consensus.preimages import Preimages
from consensus.sync import Tip, missing_rows, own_tips

MAX_WANTED = 256
MAX_SYNC_BYTES = 8 << 20
_MAX_REFUSALS = 4096


class ForkError(RuntimeError):
    """An own event cannot be made now without the danger of a fork; one line that says why."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """An event that breaks a rule, and the rule."""

    hash: bytes
    creator: MemberId
    reason: str


@dataclass(frozen=True, slots=True)
class RoundEffects:
    """A decided round, what it did to the ledger, and the ledger's digest after it."""

    round: DecidedRound
    effects: tuple[Effect, ...]
    digest: bytes


class Replica:
    """Sans-I/O. The same events, in whatever order and batches, lead to the same rounds, effects and digests.

    To recover after a restart, insert what was stored and advance; then listen to the others before `create`.
    """

    def __init__(self, genesis: Genesis, key: SigningKey | None = None) -> None:
        self.genesis = genesis
        self.epoch = genesis.digest
        self.ledger = Ledger(genesis)
        self.dag = Dag([(member.id, member.weight) for member in genesis.members])
        self.hashgraph = self.dag.hashgraph
        self.refused: Counter[str] = Counter()  # how many events broke which rule
        self._key = key
        self._preimages = None if key is None else Preimages(key, 0)
        self._orphans = Orphans()
        self._refusals: dict[bytes, Refusal] = {}  # the latest, so that what descends from them is known
        self._claims: dict[MemberId, Tip] = {}  # by peer: an own event that it speaks of and we lack
        self._created: Event | None = None  # the last own event, until it is inserted
        self._ordered = 0
        self._unordered: dict[int, None] = {}  # rows with transactions and without a place in the order

    # Events in.

    def insert(self, events: Iterable[Event]) -> list[Event]:
        """Attaches what can be attached, and returns it, parents first; the caller has verified signatures.

        An event whose parents are missing waits for them, within bounds; one that breaks a rule is dropped
        with all that wait for it, and counted in `refused`. Nothing that a peer can send makes this raise.
        """
        attached: list[Event] = []
        for event in events:
            ready = deque([event])
            while ready:
                taken = ready.popleft()
                if self._take(taken):
                    attached.append(taken)
                    ready += self._orphans.release(taken.hash)
        return attached

    def _take(self, event: Event) -> bool:
        """Whether `event` is new and was attached; otherwise it is known, waits, or is refused."""
        if event.hash in self.dag or event.hash in self._orphans or event.hash in self._refusals:
            return False
        reason = self._fault(event)
        if reason is not None:
            self._refuse(event, reason)
            return False
        missing = self.dag.lacking(event)
        if missing:
            self._orphans.add(event, missing)
            return False
        row = self.dag.attach(event)
        if event.transactions:
            self._unordered[row] = None
        return True

    def _fault(self, event: Event) -> str | None:
        if event.epoch != self.epoch:
            return "the event is of another epoch or swarm"
        if event.creator not in self.dag.index:
            return "the creator is no member"
        if any(parent in self._refusals for parent in event.parents):
            return "a parent was refused"
        return None if self.dag.lacking(event) else self.dag.fault(event)

    def refusals(self) -> list[Refusal]:
        """The latest events that broke a rule, oldest first."""
        return list(self._refusals.values())

    def _refuse(self, event: Event, reason: str) -> None:
        self.refused[reason] += 1
        dropped = self._orphans.drop_descendants(event.hash)
        if dropped:
            self.refused["a parent was refused"] += dropped
        self._refusals[event.hash] = Refusal(event.hash, event.creator, reason)
        if len(self._refusals) > _MAX_REFUSALS:
            del self._refusals[next(iter(self._refusals))]

    # Rounds out.

    def advance(self) -> list[RoundEffects]:
        """The rounds that have become decided, each applied to the ledger, in order."""
        return [self._apply(decision) for decision in self.hashgraph.decide()]

    def _apply(self, decision: Decision) -> RoundEffects:
        events = []
        for row, _, time in decision.received:
            events.append(Ordered(self.dag.events[row], decision.round, time, self._ordered))
            self._ordered += 1
            self._unordered.pop(row, None)
        decided = DecidedRound(decision.round, self._judges(decision), tuple(events))
        effects = self.ledger.apply_round(decided)
        return RoundEffects(decided, effects, self.ledger.digest())

    def _judges(self, decision: Decision) -> tuple[Judge, ...]:
        events = (self.dag.events[row] for row in decision.judges)
        judges = (Judge(event.hash, event.creator, event.reveal) for event in events)
        return tuple(sorted(judges, key=lambda judge: judge.hash))

    def undecided(self) -> bool:
        """Whether further rounds are needed: by a transaction without a place, or the ledger for a seed."""
        members = (self.dag.index[self.dag.events[row].creator] for row in self._unordered)
        return self.ledger.waiting or any(not self.dag.has_forked(member) for member in members)

    # What others have and lack.

    def tips(self) -> list[Tip]:
        """What we have, for a sync message: events without a self-child, in roster order."""
        return own_tips(self.dag)

    def hear(self, peer: MemberId, tips: Iterable[Tip]) -> None:
        """Notes whether a peer has own events that are not here: `create` has to continue from them.

        They are `wanted` from then on. A peer that speaks of what it cannot send is to be dismissed.
        """
        own = [tip for tip in tips if self._key is not None and tip.creator == self._key.id]
        self.dismiss(peer)
        if own:
            self._claims[peer] = max(own, key=lambda tip: tip.seq)

    def dismiss(self, peer: MemberId) -> None:
        """Forgets what `peer` said of own events."""
        self._claims.pop(peer, None)

    def _lost(self) -> list[Tip]:
        """Own events beyond the newest one here that peers speak of."""
        newest = self.newest(self._key.id) if self._key is not None and self._claims else None
        seq = -1 if newest is None else newest.seq
        return [tip for tip in self._claims.values() if tip.seq > seq]

    def missing(
        self, tips: Iterable[Tip], limit: int, want: Iterable[bytes] = (), size: int = MAX_SYNC_BYTES
    ) -> list[Event]:
        """What a peer with `tips` lacks, and what it wants by hash, parents first.

        At most `limit` events of at most `size` bytes together (but one at least). If that cuts something
        off, a further sync with the new tips goes on from there.
        """
        events: list[Event] = []
        for row in islice(missing_rows(self.dag, tips, want, limit), limit):
            event = self.dag.events[row]
            size -= len(event.raw)
            if size < 0 and events:
                break
            events.append(event)
        return events

    def wanted(self) -> list[bytes]:
        """Hashes of events to ask peers for: own ones that they spoke of, then missing parents."""
        lost = {tip.hash: None for tip in self._lost() if tip.hash not in self._orphans}
        return [*lost, *(digest for digest in self._orphans.wanted() if digest not in lost)][:MAX_WANTED]

    def events(self, hashes: Iterable[bytes]) -> list[Event]:
        """The attached events among `hashes`, parents first."""
        rows = {self.dag.rows[digest] for digest in hashes if digest in self.dag}
        return [self.dag.events[row] for row in sorted(rows)]

    # Own events.

    def newest(self, member: MemberId) -> Event | None:
        """The attached event of the highest seq by `member`; of several (a fork), that of the lowest hash."""
        tips = (self.dag.events[row] for row in self.dag.tips(self.dag.index[member]))
        return min(tips, key=lambda event: (-event.seq, event.hash), default=None)

    def create(
        self, time: int, transactions: Sequence[Transaction] = (), other_parents: Sequence[bytes] = ()
    ) -> Event:
        """A new own event that continues the newest one, at `time` (ns) or just after that one.

        `other_parents` are hashes of attached events by distinct other members. The caller writes the event
        to disk, then inserts it, then sends it. ForkError if an own event is known of but not attached;
        EventError if the fields make no event.
        """
        if self._key is None or self._key.id not in self.dag.index:
            raise ForkError("this replica has no key of a member to sign with")
        newest = self.newest(self._key.id)
        self._require_all_own_events(self._key.id)
        if not all(parent in self.dag for parent in other_parents):
            raise EventError("an other-parent is not attached")
        self_parent = None if newest is None else newest.hash
        event = make_event(
            self._key,
            epoch=self.epoch,
            seq=0 if newest is None else newest.seq + 1,
            self_parent=self_parent,
            other_parents=tuple(other_parents),
            time=time if newest is None else max(time, newest.time + 1),
            reveal=self._reveal(self._key.id, self_parent, other_parents),
            ledger=(self.ledger.round, self.ledger.digest()) if self.ledger.round else None,
            transactions=tuple(transactions),
        )
        reason = self.dag.fault(event)
        if reason is not None:
            raise EventError(reason)
        self._created = event
        return event

    @property
    def reveals(self) -> bool:
        """Whether own witnesses show preimages: the roster has an anchor for our key, and it is ours.

        The first look takes 50 ms (see `Preimages`), so take it before the node has anything else to do.
        """
        if self._key is None or self._preimages is None or self._key.id not in self.genesis.roster:
            return False
        anchor = self.genesis.roster.member(self._key.id).anchor
        return anchor is not None and anchor == self._preimages.anchor

    def _reveal(self, own: MemberId, self_parent: bytes | None, others: Sequence[bytes]) -> bytes | None:
        """The preimage that the next own event has to show, if it will be a witness."""
        if self._preimages is None or not self.reveals:
            return None
        number, is_witness = self.dag.preview(own, self_parent, others)
        return self._preimages.preimage(number) if is_witness else None

    def _require_all_own_events(self, own: MemberId) -> None:
        if self._created is not None and self._created.hash not in self.dag:
            raise ForkError(f"own event {self._created.seq} was made before and has not been inserted")
        waiting = self._orphans.of(own)
        if waiting:
            raise ForkError(f"own event {waiting[0].seq} waits for parents that are missing here")
        for lost in self._lost():
            raise ForkError(f"a peer speaks of own event {lost.seq}, which is not here")
