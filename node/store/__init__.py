"""What a node keeps on disk: the chain of epoch records, and the events of each epoch in order of arrival.

The current epoch is the newest one with a ledger snapshot; 0, that of the genesis, begins without one. The chain
of records may reach beyond it: a node that was away fetches records first, then the snapshot of the last.
"""

import hashlib
from collections.abc import Sequence
from typing import Protocol

from consensus.encoding import EncodingError, decode, encode
from consensus.epoch import EpochError, EpochRecord, SealedRecord, decode_record
from consensus.event import Event, TransactionTable
from consensus.outcome import ClosedEpoch

_GROUPS_LIMIT = 1 << 26  # bytes


class StoreError(Exception):
    """A store that cannot be used or written; the message is one line with the remedy.

    After a failed write nobody knows what the disk holds: the node has to stop and read it again.
    """


class Store(Protocol):
    """Events, records and snapshots. What makes one thing durable also does so for all that was written before."""

    @property
    def place(self) -> str:
        """Where it is, for messages to people."""
        ...

    @property
    def number(self) -> int:
        """Of the current epoch."""
        ...

    @property
    def newest(self) -> int:
        """The number of the last link of the chain; 0 if it has none."""
        ...

    async def append(self, events: Sequence[Event]) -> None:
        """Writes received events of the current epoch. A power loss may take the last of them: peers have them.

        Raises StoreError.
        """
        ...

    async def append_own(self, event: Event) -> None:
        """Writes an own event of the current epoch; returns when it would survive a power loss. Raises StoreError.

        Only then may the event be shown to anybody: one that is forgotten after it was sent would be
        followed by another with the same sequence number, and that is an equivocation.
        """
        ...

    async def read(self, start: int, count: int) -> list[bytes]:
        """Up to `count` raw events of the current epoch from the position `start` on; fewer only at the end.

        Raises StoreError.
        """
        ...

    async def read_epoch(self, number: int, start: int, count: int) -> list[bytes]:
        """The same of any epoch; nothing of one that was pruned, or jumped over. Raises StoreError."""
        ...

    async def read_closed(self, start: int, count: int) -> list[bytes]:
        """The same of the epoch before the current one. Raises StoreError."""
        ...

    async def turn(self, closed: ClosedEpoch) -> None:
        """Makes the epoch that `closed` opens the current one; returns when this would survive a power loss.

        The record before it must be in the chain. Only then may an own event of that epoch be shown: without its
        record the node would start again in the old one. Turning to the current epoch again changes nothing.
        Raises StoreError, also if the chain has another record for it.
        """
        ...

    async def opened(self) -> ClosedEpoch | None:
        """What opened the current epoch, as `turn` got it; None in the first one. Raises StoreError."""
        ...

    async def correct(self, chain: Sequence[SealedRecord], closed: ClosedEpoch) -> None:
        """Turns to the epoch of `closed`, the last of `chain`, and leaves what contradicts that, all of it or nothing.

        `chain` are verified records, none left out, that take the place of those here; the last one may have no seals
        yet. Snapshots and events of the epochs that had another record are forgotten, and so are all epochs after the
        last of `chain`. Returns when
        this would survive a power loss. Raises StoreError, also if `chain` does not begin at or just after a link.
        """
        ...

    async def record(self, number: int) -> EpochRecord | None:
        """The link of the chain that opened epoch `number`, sealed or not; None if there is none. Raises StoreError."""
        ...

    async def snapshot(self, number: int) -> bytes | None:
        """The ledger snapshot with which epoch `number` began, if it is here. Raises StoreError."""
        ...

    async def save_seals(self, sealed: SealedRecord) -> None:
        """Puts the seals to a record of the chain; the first ones stay. A power loss may take them.

        Raises StoreError if the chain has not this record.
        """
        ...

    async def extend(self, chain: Sequence[SealedRecord]) -> None:
        """Writes verified records that follow the chain, or are in it. A power loss may take the last of them.

        Raises StoreError if one does not follow, or the chain has other bytes for it.
        """
        ...

    async def records(self, first: int, count: int) -> list[SealedRecord]:
        """Up to `count` links from that of epoch `first` on, none left out, as far as they are sealed.

        Raises StoreError.
        """
        ...

    async def prune(self, keep: int) -> None:
        """Forgets events and snapshots of all but the newest `keep` (1 or more) epochs; records stay for ever.

        Raises StoreError.
        """
        ...

    async def close(self) -> None:
        """Writes what is outstanding. The store must not be used afterwards."""
        ...


def write_groups(closed: ClosedEpoch) -> bytes:
    """The own transactions that a close cut off, for a store."""
    return encode([list(group) for group in closed.unreceived])


def read_closed(number: int, record: bytes, snapshot: bytes, groups: bytes) -> ClosedEpoch:
    """What opened epoch `number`, from a store; ValueError, with a few words, if it was damaged."""
    opened = decode_record(record)
    if opened.number != number:
        raise EpochError(f"the record of epoch {opened.number} in the place of {number}")
    if opened.snapshot != hashlib.sha256(snapshot).digest():
        raise EpochError(f"the snapshot of epoch {number} is not the one that its record names")
    return ClosedEpoch(opened, snapshot, _read_groups(groups))


def _read_groups(groups: bytes) -> tuple[tuple[TransactionTable, ...], ...]:
    read = decode(groups, limit=_GROUPS_LIMIT)
    if not isinstance(read, list) or not all(isinstance(group, list) for group in read):
        raise EncodingError("transactions that were cut off must be lists")
    return tuple(tuple(group) for group in read)  # type: ignore[arg-type]  # as they were written


def join(newest: int, known: dict[int, bytes], chain: Sequence[EpochRecord]) -> None:
    """Checks that `chain` continues a stored one or repeats it; StoreError, without a place, if it does neither.

    `newest` is the number of the last stored record, 0 if there is none; `known` has the raw ones among `chain`.
    """
    for record in chain:
        if record.number > newest + 1:
            raise StoreError(f"epoch {record.number} cannot follow epoch {newest}: records between are missing")
        if record.number in known and known[record.number] != record.raw:
            raise StoreError(
                f"epoch {record.number} was opened by another record here; move the file away and start again: "
                "the node fetches everything from its peers"
            )
        newest = max(newest, record.number)
