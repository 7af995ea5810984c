"""The store's twin in memory: a disk that outlives its node and forgets unsynced writes in a crash."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace

import trio

from consensus.epoch import EpochRecord, SealedRecord, decode_record, decode_sealed
from consensus.event import Event
from consensus.outcome import ClosedEpoch
from node.store import StoreError, join, read_closed, write_groups


@dataclass(frozen=True)
class Link:
    """A record of the chain, and the same with its seals once there are enough; both raw."""

    record: bytes
    sealed: bytes | None = None


class MemoryDisk:
    """What would be on the platter, and what is still in the cache before it."""

    def __init__(self, *, sync_seconds: float = 0.0) -> None:
        self.sync_seconds = sync_seconds
        self.full = False  # a write raises StoreError, and leaves some of what it was to write
        self.unsyncable = False  # a sync raises StoreError; what was written may be lost in a crash, or not
        self.number = 0  # of the current epoch
        self.records: list[tuple[int | None, bytes]] = []  # of the current epoch: (own seq or None, raw)
        self.synced = 0  # of them
        self.older: dict[int, list[bytes]] = {}  # raw events of earlier epochs
        self.chain: dict[int, Link] = {}
        self.fresh: list[int] = []  # links of the chain that were written and not synced
        self.turns: dict[int, tuple[bytes, bytes]] = {}  # snapshot, own transactions that were cut off
        self.turning: tuple[ClosedEpoch, Sequence[SealedRecord]] | None = (
            None  # is being written, with a corrected chain
        )

    def copy(self) -> "MemoryDisk":
        """Another disk with the same content."""
        disk = MemoryDisk()
        disk.number, disk.records, disk.synced = self.number, list(self.records), self.synced
        disk.older, disk.chain = dict(self.older), dict(self.chain)
        disk.fresh, disk.turns, disk.turning = list(self.fresh), dict(self.turns), self.turning
        return disk

    def crash(self, chance: random.Random) -> int:
        """Power loss: keeps some prefix of what was written that has at least all that was synced.

        Returns how many events of the current epoch were lost.
        """
        if self.turning is not None and chance.random() < 0.5:
            self.finish_turn()
        self.turning = None
        kept = chance.randint(self.synced, len(self.records))
        lost = len(self.records) - kept
        del self.records[kept:]
        self.synced = kept
        for number in self.fresh[chance.randint(0, len(self.fresh)) :]:
            link = self.chain.pop(number)
            if number <= self.number:  # what was lost are its seals
                self.chain[number] = replace(link, sealed=None)
        self.fresh.clear()
        return lost

    def sync(self) -> None:
        """All that was written is on the platter."""
        self.synced = len(self.records)
        self.fresh.clear()

    def finish_turn(self) -> None:
        """The turn that was being written is on the platter, and so is what was written before it."""
        if self.turning is not None:
            closed, chain = self.turning
            self.older[self.number] = [raw for _, raw in self.records]
            if chain:
                self._correct(chain)
            self.number, self.records = closed.record.number, []
            self.chain.setdefault(self.number, Link(closed.record.raw))
            self.turns[self.number] = closed.snapshot, write_groups(closed)
            self.turning = None
            self.sync()

    def _correct(self, chain: Sequence[SealedRecord]) -> None:
        first = chain[0].record.number
        right = {one.record.number: Link(one.record.raw, one.raw if one.seals else None) for one in chain}
        for number, link in list(self.chain.items()):
            if number >= first and (number not in right or link.record != right[number].record):
                del self.chain[number]
                self.turns.pop(number, None)
                self.older.pop(number, None)
        self.chain.update(right)


class MemoryStore:
    """`Store` on a `MemoryDisk`, as one run of a node opens it."""

    def __init__(self, disk: MemoryDisk) -> None:
        disk.finish_turn()
        self._disk = disk
        self._own = {seq for seq, _ in disk.records if seq is not None}

    @property
    def place(self) -> str:
        """See `Store.place`."""
        return "the disk in memory"

    @property
    def number(self) -> int:
        """See `Store.number`."""
        return self._disk.number

    @property
    def newest(self) -> int:
        """See `Store.newest`."""
        return max(self._disk.chain, default=0)

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
        await self._let_sync()  # a crash may come here, as the write is under way
        self._own.add(event.seq)
        self._disk.sync()

    async def read(self, start: int, count: int) -> list[bytes]:
        """See `Store.read`."""
        return await self.read_epoch(self._disk.number, start, count)

    async def read_epoch(self, number: int, start: int, count: int) -> list[bytes]:
        """See `Store.read_epoch`."""
        await trio.lowlevel.checkpoint()
        if number == self._disk.number:
            return [raw for _, raw in self._disk.records[start : start + count]]
        return self._disk.older.get(number, [])[start : start + count]

    async def read_closed(self, start: int, count: int) -> list[bytes]:
        """See `Store.read_closed`."""
        return await self.read_epoch(self._disk.number - 1, start, count)

    async def turn(self, closed: ClosedEpoch) -> None:
        """See `Store.turn`."""
        self._join([closed.record])
        if closed.record.number > self._disk.number:
            self._require_room()
            await self._write_turn(closed)

    async def correct(self, chain: Sequence[SealedRecord], closed: ClosedEpoch) -> None:
        """See `Store.correct`."""
        join(self.newest, {}, [sealed.record for sealed in chain])
        self._require_room()
        await self._write_turn(closed, chain)

    async def _write_turn(self, closed: ClosedEpoch, chain: Sequence[SealedRecord] = ()) -> None:
        self._disk.turning = closed, chain
        await self._let_sync()  # a crash may come here
        self._disk.finish_turn()
        self._own.clear()

    async def record(self, number: int) -> EpochRecord | None:
        """See `Store.record`."""
        await trio.lowlevel.checkpoint()
        link = self._disk.chain.get(number)
        try:
            return None if link is None else decode_record(link.record)
        except ValueError as error:
            raise StoreError(f"{self.place}: damaged ({error}); start with another") from None

    async def opened(self) -> ClosedEpoch | None:
        """See `Store.opened`."""
        await trio.lowlevel.checkpoint()
        number = self._disk.number
        if number == 0:
            return None
        try:
            return read_closed(number, self._disk.chain[number].record, *self._disk.turns[number])
        except ValueError as error:
            raise StoreError(f"{self.place}: damaged ({error}); start with another") from None

    async def snapshot(self, number: int) -> bytes | None:
        """See `Store.snapshot`."""
        await trio.lowlevel.checkpoint()
        return self._disk.turns[number][0] if number in self._disk.turns else None

    async def save_seals(self, sealed: SealedRecord) -> None:
        """See `Store.save_seals`."""
        if sealed.record.number not in self._disk.chain:
            raise StoreError(f"epoch {sealed.record.number} is not in the chain")
        await self.extend([sealed])

    async def extend(self, chain: Sequence[SealedRecord]) -> None:
        """See `Store.extend`."""
        await trio.lowlevel.checkpoint()
        self._join([sealed.record for sealed in chain])
        self._require_room()
        for sealed in chain:
            number = sealed.record.number
            if number not in self._disk.chain or self._disk.chain[number].sealed is None:
                self._disk.chain[number] = Link(sealed.record.raw, sealed.raw)
                self._disk.fresh.append(number)

    async def records(self, first: int, count: int) -> list[SealedRecord]:
        """See `Store.records`."""
        await trio.lowlevel.checkpoint()
        found: list[SealedRecord] = []
        for number in range(first, first + count):
            link = self._disk.chain.get(number)
            if link is None or link.sealed is None:
                break
            found.append(decode_sealed(link.sealed))
        return found

    async def prune(self, keep: int) -> None:
        """See `Store.prune`."""
        await trio.lowlevel.checkpoint()
        for number in [*self._disk.older, *self._disk.turns]:
            if number <= self._disk.number - keep:
                self._disk.older.pop(number, None)
                self._disk.turns.pop(number, None)

    async def close(self) -> None:
        """See `Store.close`."""
        await trio.lowlevel.checkpoint()
        self._disk.sync()

    def _join(self, chain: Sequence[EpochRecord]) -> None:
        known = {number: link.record for number, link in self._disk.chain.items()}
        join(self.newest, known, chain)

    def _require_room(self) -> None:
        if self._disk.full:
            raise StoreError("the disk in memory is full")

    async def _let_sync(self) -> None:
        await trio.sleep(self._disk.sync_seconds)
        if self._disk.unsyncable:
            raise StoreError("the disk in memory cannot sync")
