"""The order of a swarm without a network: what members submit becomes events, and events decided rounds.

The ledger and its epochs are the real ones. Left out are the DAG, gossip, and the signatures of events, which the
ledger never sees; seals of epochs and promotions are signed with real keys, because it verifies them. Nobody has
preimages, so beacons come from the hashes of judges.
"""

from __future__ import annotations

import hashlib
import random
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from consensus.encoding import encode
from consensus.event import Event
from consensus.genesis import Genesis
from consensus.keys import MemberId, SigningKey
from consensus.ledger import Effect, Ledger
from consensus.ledger.records.transactions import Open, Transaction
from consensus.ordered import DecidedRound, Judge, OrderedEvent
from node.simulation.agents.timeline import Timeline

ROUND_S = 2.0
"""Between decided rounds: two to three times what forty real nodes need (docs/consensus-bench.md), for slow links."""

_DELAYS_S = (0.6, 2.0)  # the least and the longest from `submit` until a round can receive it
_SILENCE_S = 20.0  # after which a present member has an event without transactions in the order
_START_NS = 1_700_000_000 * 10**9

Observer = Callable[[tuple[Effect, ...]], None]


class Order:
    """Decides a round every `ROUND_S` while members of more than 2/3 of the weight are present."""

    def __init__(self, timeline: Timeline, genesis: Genesis, seed: int) -> None:
        self.ledger = Ledger.found(genesis)
        self.keys: dict[MemberId, SigningKey] = {}  # of all that ever take part
        self.present: dict[MemberId, None] = {}  # as a set in the order of arrival
        self.snapshots: list[bytes] = []  # the last one
        self.halted_s = 0.0  # without a quorum
        self._timeline = timeline
        self._seed = seed
        self._chance = random.Random(f"order {seed}")
        self._waiting: dict[MemberId, list[tuple[float, list[Mapping[str, Any]]]]] = defaultdict(list)
        self._last_event_s: dict[MemberId, float] = {}
        self._has_opened: dict[MemberId, int] = {}  # the newest epoch that a member has opened
        self._time_ns = _START_NS
        self._number = self._index = 0
        self._observers: list[Observer] = []
        self._close_observers: list[Callable[[bytes], None]] = []

    def subscribe(self, observer: Observer) -> None:
        """Hand every round's effects to an observer, in the order of subscription."""
        self._observers.append(observer)

    def subscribe_closes(self, observer: Callable[[bytes], None]) -> None:
        """Hand the ledger's snapshot to an observer whenever an epoch closes."""
        self._close_observers.append(observer)

    def submit(self, author: MemberId, transactions: Iterable[Transaction]) -> None:
        """Let transactions that belong together come into the order a little later."""
        ready_s = self._timeline.now_s + self._chance.uniform(*_DELAYS_S)
        waiting = self._waiting[author]
        if waiting:  # an author's events keep their order
            ready_s = max(ready_s, waiting[-1][0])
        waiting.append((ready_s, [transaction.as_table() for transaction in transactions]))

    def begin(self) -> None:
        """Begin to decide rounds."""
        self._timeline.after(ROUND_S, self._decide)

    def _decide(self) -> None:
        self._timeline.after(ROUND_S, self._decide)
        if not self.ledger.roster.supermajority(self.present):
            self.halted_s += ROUND_S
            return
        self._number += 1
        judge = hashlib.sha256(f"judge {self._seed} {self._number}".encode()).digest()
        events = tuple(self._events())
        decided = DecidedRound(self._number, (Judge(judge, self.ledger.roster.ids[0], None),), events)
        effects = self.ledger.apply_round(decided)
        if self.ledger.closing is not None:
            closing = self.ledger.close(decided)
            effects += closing.effects
            for notify in self._close_observers:
                notify(closing.snapshot)
        for observer in self._observers:
            observer(effects)

    def _events(self) -> Iterable[OrderedEvent]:
        """Return one event of each member with something to say, or that said nothing for long."""
        now_s, roster = self._timeline.now_s, self.ledger.roster
        for member in list(self.present):
            if member not in roster:
                continue
            tables = self._take_due(member)
            if self._has_opened.get(member) != self.ledger.epoch_number:
                tables.insert(0, self._opening(member))
            if tables or now_s - self._last_event_s.get(member, -_SILENCE_S) >= _SILENCE_S:
                self._last_event_s[member] = now_s
                yield self._event(member, tables)

    def _take_due(self, member: MemberId) -> list[Mapping[str, Any]]:
        waiting = self._waiting.get(member)
        now_s = self._timeline.now_s
        if not waiting or waiting[0][0] > now_s:
            return []
        count = sum(ready_s <= now_s for ready_s, _ in waiting)
        due = [table for _, tables in waiting[:count] for table in tables]
        del waiting[:count]
        return due

    def _opening(self, member: MemberId) -> Mapping[str, Any]:
        """Return the transaction with which a member goes on from the record that opened the epoch."""
        self._has_opened[member] = self.ledger.epoch_number
        record = self.ledger.record
        seal = None if record is None else record.seal(self.keys[member])
        return Open(self.ledger.epoch_number, seal, None).as_table()

    def _event(self, member: MemberId, tables: list[Mapping[str, Any]]) -> OrderedEvent:
        payload = encode(tables)
        digest = hashlib.sha256(payload).digest()
        header = encode([self._index, member, digest])
        self._time_ns = max(self._time_ns + 1, _START_NS + int(self._timeline.now_s * 1e9))
        event = Event(
            version=2,
            epoch=self.ledger.epoch_digest,
            creator=member,
            seq=0,
            self_parent=None,
            other_parents=(),
            time=self._time_ns,
            reveal=None,
            ledger=None,
            payload_digest=digest,
            header=header,
            signature=b"",
            hash=hashlib.sha256(header).digest(),
            transactions=tuple([_as_decoded(table) for table in tables]),
            payload=payload,
            raw=header,
        )
        ordered = OrderedEvent(event, self._number, self._time_ns, self._index)
        self._index += 1
        return ordered

    def forget_waiting(self, member: MemberId) -> None:
        """Drop what a member submitted and no round has received: its machine has vanished."""
        self._waiting.pop(member, None)


def _as_decoded(value: Any) -> Any:
    """Return a value as it would be if it had been encoded and decoded: with lists in place of tuples."""
    kind = type(value)
    if kind is dict:
        return {name: _as_decoded(entry) for name, entry in value.items()}
    return [_as_decoded(entry) for entry in value] if kind is list or kind is tuple else value


class Author:
    """A member that puts transactions forward under its own key."""

    def __init__(self, key: SigningKey, order: Order) -> None:
        self.key = key
        self.id: MemberId = key.id
        self._order = order
        self._next = 0
        order.keys[key.id] = key

    @property
    def ledger(self) -> Ledger:
        """The ledger after the last decided round."""
        return self._order.ledger

    def next_id(self) -> int:
        """Return a transaction id that was not used."""
        self._next += 1
        return self._next - 1

    def submit(self, *transactions: Transaction) -> None:
        """Put transactions forward that belong into one event."""
        self._order.submit(self.id, transactions)
