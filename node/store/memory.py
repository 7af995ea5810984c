"""The store's twin in memory: a disk that outlives its node and forgets unsynced writes in a crash."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace

import trio

from consensus.epoch import EpochRecord, SealedRecord, decode_record, decode_sealed
from consensus.event import Event
from consensus.outcome import ClosedEpoch
from node.store import StoreError
from node.store.contents import check_continues, decode_closed, encode_groups


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
        self.epoch = 0  # number of the current one
        self.events: list[tuple[int | None, bytes]] = []  # of the current epoch: (own seq or None, raw)
        self.synced = 0  # how many of them are on the platter
        self.older_events: dict[int, list[bytes]] = {}  # raw, by epoch
        self.chain: dict[int, Link] = {}  # by epoch
        self.unsynced_links: list[int] = []  # epochs
        self.openings: dict[int, tuple[bytes, bytes]] = {}  # by epoch: snapshot, own transactions that were cut off
        # What opens the next epoch, as it is being written, with the records that it replaces.
        self.writing: tuple[ClosedEpoch, Sequence[SealedRecord]] | None = None

    def copy(self) -> "MemoryDisk":
        """Return another disk with the same content."""
        disk = MemoryDisk()
        disk.epoch, disk.events, disk.synced = self.epoch, list(self.events), self.synced
        disk.older_events, disk.chain = dict(self.older_events), dict(self.chain)
        disk.unsynced_links, disk.openings = list(self.unsynced_links), dict(self.openings)
        disk.writing = self.writing
        return disk

    def crash(self, chance: random.Random) -> int:
        """Lose power: keep some prefix of what was written that has at least all that was synced.

        Return how many events of the current epoch were lost.
        """
        if self.writing is not None and chance.random() < 0.5:
            self.finish_writing()
        self.writing = None
        kept = chance.randint(self.synced, len(self.events))
        lost = len(self.events) - kept
        del self.events[kept:]
        self.synced = kept
        for number in self.unsynced_links[chance.randint(0, len(self.unsynced_links)) :]:
            link = self.chain.pop(number)
            if number <= self.epoch:  # what was lost are its seals
                self.chain[number] = replace(link, sealed=None)
        self.unsynced_links.clear()
        return lost

    def sync(self) -> None:
        """Bring all that was written onto the platter."""
        self.synced = len(self.events)
        self.unsynced_links.clear()

    def finish_writing(self) -> None:
        """Bring the epoch that was being written onto the platter, and all that was written before it."""
        if self.writing is not None:
            closed, chain = self.writing
            self.older_events[self.epoch] = [raw for _, raw in self.events]
            if chain:
                self._replace_records(chain)
            self.epoch, self.events = closed.record.number, []
            self.chain.setdefault(self.epoch, Link(closed.record.raw))
            self.openings[self.epoch] = closed.snapshot, encode_groups(closed)
            self.writing = None
            self.sync()

    def _replace_records(self, chain: Sequence[SealedRecord]) -> None:
        first = chain[0].record.number
        right = {one.record.number: Link(one.record.raw, one.raw if one.seals else None) for one in chain}
        for number, link in list(self.chain.items()):
            if number >= first and (number not in right or link.record != right[number].record):
                del self.chain[number]
                self.openings.pop(number, None)
                self.older_events.pop(number, None)
        self.chain.update(right)


def first_round(disk: MemoryDisk) -> int:
    """Return the round that closed the epoch before the one on the disk; 0 in the first epoch."""
    return decode_record(disk.chain[disk.epoch].record).round if disk.epoch else 0


class MemoryStore:
    """`Store` on a `MemoryDisk`, as one run of a node opens it."""

    def __init__(self, disk: MemoryDisk) -> None:
        disk.finish_writing()
        self._disk = disk
        self._own = {seq for seq, _ in disk.events if seq is not None}

    @property
    def place(self) -> str:
        """See `Store.place`."""
        return "the disk in memory"

    @property
    def epoch(self) -> int:
        """See `Store.epoch`."""
        return self._disk.epoch

    @property
    def newest_record(self) -> int:
        """See `Store.newest_record`."""
        return max(self._disk.chain, default=0)

    # Events.

    async def append(self, events: Sequence[Event]) -> None:
        """See `Store.append`."""
        await trio.lowlevel.checkpoint()
        room = len(events) // 2 if self._disk.full else len(events)
        self._disk.events.extend((None, event.raw) for event in events[:room])
        self._require_room()

    async def append_own(self, event: Event) -> None:
        """See `Store.append_own`."""
        if event.seq in self._own:
            raise StoreError(f"a second own event with sequence number {event.seq}")
        self._require_room()
        self._disk.events.append((event.seq, event.raw))
        await self._let_sync()  # a crash may come here, as the write is under way
        self._own.add(event.seq)
        self._disk.sync()

    async def read_events(self, epoch: int, start: int, count: int) -> list[bytes]:
        """See `Store.read_events`."""
        await trio.lowlevel.checkpoint()
        if epoch == self._disk.epoch:
            return [raw for _, raw in self._disk.events[start : start + count]]
        return self._disk.older_events.get(epoch, [])[start : start + count]

    async def newest_own(self) -> int:
        """See `Store.newest_own`."""
        await trio.lowlevel.checkpoint()
        return max(self._own, default=-1)

    # The current epoch.

    async def begin_epoch(self, closed: ClosedEpoch) -> None:
        """See `Store.begin_epoch`."""
        self._check_continues([closed.record])
        if closed.record.number > self._disk.epoch:
            self._require_room()
            await self._write_epoch(closed)

    async def _write_epoch(self, closed: ClosedEpoch, chain: Sequence[SealedRecord] = ()) -> None:
        self._disk.writing = closed, chain
        await self._let_sync()  # a crash may come here
        self._disk.finish_writing()
        self._own.clear()

    async def read_opening(self) -> ClosedEpoch | None:
        """See `Store.read_opening`."""
        await trio.lowlevel.checkpoint()
        number = self._disk.epoch
        if number == 0:
            return None
        try:
            return decode_closed(number, self._disk.chain[number].record, *self._disk.openings[number])
        except ValueError as error:
            raise self._damaged(error) from None

    async def read_snapshot(self, epoch: int) -> bytes | None:
        """See `Store.read_snapshot`."""
        await trio.lowlevel.checkpoint()
        return self._disk.openings[epoch][0] if epoch in self._disk.openings else None

    # The chain of records.

    async def append_records(self, chain: Sequence[SealedRecord]) -> None:
        """See `Store.append_records`."""
        await trio.lowlevel.checkpoint()
        self._check_continues([sealed.record for sealed in chain])
        self._require_room()
        for sealed in chain:
            number = sealed.record.number
            if number not in self._disk.chain or self._disk.chain[number].sealed is None:
                self._disk.chain[number] = Link(sealed.record.raw, sealed.raw)
                self._disk.unsynced_links.append(number)

    async def write_seals(self, sealed: SealedRecord) -> None:
        """See `Store.write_seals`."""
        if sealed.record.number not in self._disk.chain:
            raise StoreError(f"epoch {sealed.record.number} is not in the chain")
        await self.append_records([sealed])

    async def replace_records(self, chain: Sequence[SealedRecord], closed: ClosedEpoch) -> None:
        """See `Store.replace_records`."""
        check_continues(self.newest_record, {}, [sealed.record for sealed in chain])
        self._require_room()
        await self._write_epoch(closed, chain)

    async def read_record(self, epoch: int) -> EpochRecord | None:
        """See `Store.read_record`."""
        await trio.lowlevel.checkpoint()
        link = self._disk.chain.get(epoch)
        try:
            return None if link is None else decode_record(link.record)
        except ValueError as error:
            raise self._damaged(error) from None

    async def read_sealed_records(self, first: int, count: int) -> list[SealedRecord]:
        """See `Store.read_sealed_records`."""
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
        for number in [*self._disk.older_events, *self._disk.openings]:
            if number <= self._disk.epoch - keep:
                self._disk.older_events.pop(number, None)
                self._disk.openings.pop(number, None)

    async def aclose(self) -> None:
        """See `Store.aclose`."""
        await trio.lowlevel.checkpoint()
        self._disk.sync()

    def _check_continues(self, chain: Sequence[EpochRecord]) -> None:
        stored = {number: link.record for number, link in self._disk.chain.items()}
        check_continues(self.newest_record, stored, chain)

    def _require_room(self) -> None:
        if self._disk.full:
            raise StoreError("the disk in memory is full")

    async def _let_sync(self) -> None:
        await trio.sleep(self._disk.sync_seconds)
        if self._disk.unsyncable:
            raise StoreError("the disk in memory cannot sync")

    def _damaged(self, reason: ValueError) -> StoreError:
        return StoreError(f"{self.place}: damaged ({reason}); start with another")
