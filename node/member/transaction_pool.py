"""Own transactions without a place in the order: those that wait for an own event, and those in events not yet ordered.

Transactions that were put forward together are a group: they travel in one event, in their order.
"""

from collections import deque
from collections.abc import Collection, Sequence

from consensus.encoding import encode
from consensus.epoch_events import ADDED_BY_REPLICA
from consensus.event import MAX_TRANSACTIONS, Event, TransactionTable

_MAX_FILLED = MAX_TRANSACTIONS - 1  # transactions in one event, beside the one that opens the epoch
MAX_FILLED_BYTES = 192 * 1024
"""Bytes of transactions in one event; the event has some more."""


class BacklogError(Exception):
    """Transactions that cannot be put forward; one line says why."""


def transaction_ids(event: Event) -> tuple[int, ...]:
    """Return the ids of an event's transactions, but not of those that the replica adds, which have none."""
    return tuple(entry["id"] for entry in event.transactions if entry["type"] not in ADDED_BY_REPLICA)


class TransactionPool:
    """First in, first out. It is bounded: a node without a quorum cannot get rid of anything."""

    def __init__(self, max_bytes: int = 16 * 1024 * 1024) -> None:
        self._max_bytes = max_bytes
        self._bytes = 0
        self._groups: deque[tuple[tuple[TransactionTable, ...], int]] = deque()
        self._in_events: dict[bytes, tuple[int, ...]] = {}  # by hash of an own event not yet ordered: ids

    @property
    def has_waiting(self) -> bool:
        """Whether transactions wait for an own event."""
        return bool(self._groups)

    @property
    def waiting(self) -> int:
        """How many transactions wait for an own event."""
        return sum(len(group) for group, _ in self._groups)

    @property
    def pending(self) -> int:
        """How many transactions have no place in the order."""
        return self.waiting + sum(len(ids) for ids in self._in_events.values())

    def last_id(self) -> int:
        """Return the highest id among all transactions without a place in the order; -1 if there are none."""
        waiting = [entry["id"] for group, _ in self._groups for entry in group]
        return max([*waiting, *(number for ids in self._in_events.values() for number in ids)], default=-1)

    def groups(self) -> tuple[tuple[TransactionTable, ...], ...]:
        """Return all transactions that wait for an own event, in their groups."""
        return tuple(group for group, _ in self._groups)

    # Into the pool.

    def add(self, transactions: Sequence[TransactionTable], size: int) -> None:
        """Add a group of `size` bytes. Raise BacklogError."""
        if size > MAX_FILLED_BYTES or len(transactions) > _MAX_FILLED:
            raise BacklogError(f"{len(transactions)} transactions of {size} bytes are too much for one event")
        if self._bytes + size > self._max_bytes:
            raise BacklogError(f"{self.waiting} transactions wait already; is there a quorum of members?")
        if transactions:
            self._groups.append((tuple(transactions), size))
            self._bytes += size

    def put_back(self, groups: Sequence[Sequence[TransactionTable]]) -> None:
        """Add groups that were in own events and found no place in the order; they go before all others.

        Transactions that wait here already stay where they are.
        """
        waiting = {entry["id"] for group, _ in self._groups for entry in group}
        for group in reversed(groups):
            missing = tuple(entry for entry in group if entry["id"] not in waiting)
            if missing:
                size = min(len(encode(missing)), MAX_FILLED_BYTES)  # it was within the limits when it came
                self._groups.appendleft((missing, size))
                self._bytes += size

    # Into events, and into the order.

    def fill(self) -> tuple[TransactionTable, ...]:
        """Return the transactions for the next own event; they wait here until that is attached."""
        filled: list[TransactionTable] = []
        room = MAX_FILLED_BYTES
        for group, size in self._groups:
            room -= size
            if room < 0 or len(filled) + len(group) > _MAX_FILLED:
                break
            filled += group
        return tuple(filled)

    def observe_attached(self, event: Event) -> None:
        """Take in an own event that is stored and attached: its transactions do not wait any more."""
        self._in_events[event.hash] = transaction_ids(event)
        self._remove(self._in_events[event.hash])

    def observe_ordered(self, event: Event) -> None:
        """Take in an event that has its place in the order."""
        self._in_events.pop(event.hash, None)

    def begin_epoch(self) -> None:
        """Forget own events: none of a closed epoch is ordered any more."""
        self._in_events.clear()

    def _remove(self, ids: Collection[int]) -> None:
        if not ids:
            return
        groups, self._groups, self._bytes = self._groups, deque(), 0
        for group, size in groups:
            left = tuple(entry for entry in group if entry["id"] not in ids)
            if left:
                self._groups.append((left, size))
                self._bytes += size
