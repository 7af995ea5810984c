"""Transactions of this node that wait for an own event, in groups that stay together."""

from collections import deque
from collections.abc import Collection, Sequence

from consensus.encoding import encode
from consensus.event import MAX_TRANSACTIONS, TransactionTable

_MOST = MAX_TRANSACTIONS - 1  # in one event, beside that which opens the epoch
MAX_FILLED = 192 * 1024  # bytes of transactions in one event; an event may have some more


class BacklogError(Exception):
    """Transactions that cannot be taken; one line that says why."""


class TransactionPool:
    """First in, first out; bounded, as a node without a quorum cannot get rid of anything."""

    def __init__(self, limit: int = 16 * 1024 * 1024) -> None:
        self._limit = limit  # bytes
        self._size = 0
        self._groups: deque[tuple[tuple[TransactionTable, ...], int]] = deque()

    def __len__(self) -> int:
        return sum(len(group) for group, _ in self._groups)

    def add(self, transactions: Sequence[TransactionTable], size: int) -> None:
        """Takes a group of `size` bytes that will travel in one event. Raises BacklogError."""
        if size > MAX_FILLED or len(transactions) > _MOST:
            raise BacklogError(f"{len(transactions)} transactions of {size} bytes are too much for one event")
        if self._size + size > self._limit:
            raise BacklogError(f"{len(self)} transactions wait already; is there a quorum of members?")
        if transactions:
            self._groups.append((tuple(transactions), size))
            self._size += size

    def put_back(self, groups: Sequence[Sequence[TransactionTable]]) -> None:
        """Takes groups that were in own events and found no place in the order; they go before all others.

        What waits here already stays where it is.
        """
        waiting = {entry["id"] for group, _ in self._groups for entry in group}
        for group in reversed(groups):
            missing = tuple(entry for entry in group if entry["id"] not in waiting)
            if missing:
                size = min(len(encode(missing)), MAX_FILLED)  # it was within the limits when it came
                self._groups.appendleft((missing, size))
                self._size += size

    def groups(self) -> tuple[tuple[TransactionTable, ...], ...]:
        """All that waits, in its groups."""
        return tuple(group for group, _ in self._groups)

    def last_id(self) -> int:
        """The highest transaction id that waits, -1 if none."""
        return max((entry["id"] for group, _ in self._groups for entry in group), default=-1)

    def fill(self) -> tuple[TransactionTable, ...]:
        """What goes into the next event; it stays here until `taken` is told."""
        filled: list[TransactionTable] = []
        room = MAX_FILLED
        for group, size in self._groups:
            room -= size
            if room < 0 or len(filled) + len(group) > _MOST:
                break
            filled += group
        return tuple(filled)

    def taken(self, ids: Collection[int]) -> None:
        """Removes the transactions with these ids: they are in a stored event."""
        if not ids:
            return
        groups, self._groups, self._size = self._groups, deque(), 0
        for group, size in groups:
            left = tuple(entry for entry in group if entry["id"] not in ids)
            if left:
                self._groups.append((left, size))
                self._size += size
