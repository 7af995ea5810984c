"""The store's twin in memory: a disk that outlives its node and forgets unsynced writes in a crash."""

import random
from collections.abc import Sequence

import trio

from consensus.event import Event
from node.store import StoreError


class MemoryDisk:
    """What would be on the platter, and what is still in the cache before it."""

    def __init__(self, *, sync_seconds: float = 0.0) -> None:
        self.sync_seconds = sync_seconds
        self.full = False  # a write raises StoreError, and leaves some of what it was to write
        self.unsyncable = False  # a sync raises StoreError; what was written may be lost in a crash, or not
        self.records: list[tuple[int | None, bytes]] = []  # (own seq or None, raw)
        self.synced = 0

    def copy(self) -> "MemoryDisk":
        """Another disk with the same content."""
        disk = MemoryDisk()
        disk.records, disk.synced = list(self.records), self.synced
        return disk

    def crash(self, chance: random.Random) -> int:
        """Power loss: keeps some prefix that has at least all synced records; returns how many were lost."""
        kept = chance.randint(self.synced, len(self.records))
        lost = len(self.records) - kept
        del self.records[kept:]
        self.synced = kept
        return lost


class MemoryStore:
    """`Store` on a `MemoryDisk`, as one run of a node opens it."""

    def __init__(self, disk: MemoryDisk) -> None:
        self._disk = disk
        self._own = {seq for seq, _ in disk.records if seq is not None}

    @property
    def place(self) -> str:
        """See `Store.place`."""
        return "the disk in memory"

    async def append(self, events: Sequence[Event]) -> None:
        """See `Store.append`."""
        await trio.lowlevel.checkpoint()
        room = len(events) // 2 if self._disk.full else len(events)
        self._disk.records.extend((None, event.raw) for event in events[:room])
        self._require_room()

    async def append_own(self, event: Event) -> None:
        """See `Store.append_own`."""
        if event.seq in self._own:
            raise StoreError(f"a second own event with sequence number {event.seq}")
        self._require_room()
        self._disk.records.append((event.seq, event.raw))
        await trio.sleep(self._disk.sync_seconds)  # a crash may come here, as the write is under way
        if self._disk.unsyncable:
            raise StoreError("the disk in memory cannot sync")
        self._own.add(event.seq)
        self._disk.synced = len(self._disk.records)

    async def read(self, start: int, count: int) -> list[bytes]:
        """See `Store.read`."""
        await trio.lowlevel.checkpoint()
        return [raw for _, raw in self._disk.records[start : start + count]]

    async def close(self) -> None:
        """See `Store.close`."""
        await trio.lowlevel.checkpoint()
        self._disk.synced = len(self._disk.records)

    def _require_room(self) -> None:
        if self._disk.full:
            raise StoreError("the disk in memory is full")
