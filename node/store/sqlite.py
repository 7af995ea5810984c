"""The store on disk: SQLite in WAL mode, one connection, one thread at a time.

Each method of the protocol runs one private method of the same name in a thread. Writes that were begun are waited for
even if the task is cancelled: their outcome must be known.
"""

import contextlib
import itertools
import os
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Literal, TypeAlias, TypeVar, TypeVarTuple

import trio

from consensus.epoch import EpochRecord, SealedRecord, decode_record, decode_sealed
from consensus.event import Event
from consensus.outcome import ClosedEpoch
from node.store import FILE_NAME, StoreError
from node.store.contents import check_continues, decode_closed, encode_groups
from node.store.lock import lock_directory, mark_place
from node.store.schema import EPOCH_POSITIONS, FAILURES, damaged, explain, open_database, read_extent

_PRUNED_AT_A_TIME = 4096  # events, so that own events can be stored between

_Synchronous: TypeAlias = Literal["NORMAL", "FULL"]  # FULL: durable when the transaction ends
_Row: TypeAlias = tuple[int | None, bytes]  # own seq, raw
_T = TypeVar("_T")
_Args = TypeVarTuple("_Args")


class SqliteStore:
    """`Store` in `directory`, for the node `member` in the swarm with this genesis digest.

    `earlier` is the digest that the genesis had in the version before, for the message. Raise StoreError if the
    directory is in use, belongs to another node or swarm, or is damaged.
    """

    def __init__(self, directory: Path, *, genesis: bytes, member: bytes, earlier: bytes | None = None) -> None:
        self._path = directory / FILE_NAME
        self._limiter = trio.CapacityLimiter(1)
        self._lock = lock_directory(directory / "lock")
        self.may_be_copy = mark_place(self._lock)
        try:
            self._database, extent = open_database(self._path, genesis=genesis, member=member, earlier=earlier)
        except BaseException:
            os.close(self._lock)
            raise
        self._epoch, self._newest_record, self._event_count = extent.epoch, extent.newest_record, extent.events

    @property
    def place(self) -> str:
        """See `Store.place`."""
        return str(self._path)

    @property
    def epoch(self) -> int:
        """See `Store.epoch`."""
        return self._epoch

    @property
    def newest_record(self) -> int:
        """See `Store.newest_record`."""
        return self._newest_record

    async def aclose(self) -> None:
        """See `Store.aclose`."""
        with trio.CancelScope(shield=True):
            await trio.to_thread.run_sync(self._database.close, limiter=self._limiter)
        os.close(self._lock)

    async def _run(self, work: Callable[[*_Args], _T], *args: *_Args) -> _T:
        try:
            return await trio.to_thread.run_sync(work, *args, limiter=self._limiter)
        except FAILURES as error:
            raise explain(self._path, error) from None

    @contextlib.contextmanager
    def _transaction(self, synchronous: _Synchronous) -> Iterator[sqlite3.Connection]:
        self._database.execute(f"PRAGMA synchronous={synchronous}")
        with self._database:
            self._database.execute("BEGIN IMMEDIATE")
            yield self._database

    # Events.

    async def append(self, events: Sequence[Event]) -> None:
        """See `Store.append`."""
        rows: list[_Row] = [(None, event.raw) for event in events]
        await self._run(self._insert, "NORMAL", rows)

    async def append_own(self, event: Event) -> None:
        """See `Store.append_own`."""
        rows: list[_Row] = [(event.seq, event.raw)]
        with trio.CancelScope(shield=True):
            await self._run(self._insert, "FULL", rows)

    def _insert(self, synchronous: _Synchronous, rows: list[_Row]) -> None:
        base = self._epoch * EPOCH_POSITIONS
        placed = [
            (base + place, None if seq is None else base + seq, raw)
            for place, (seq, raw) in enumerate(rows, self._event_count + 1)
        ]
        with self._transaction(synchronous) as database:
            database.executemany("INSERT INTO events VALUES (?, ?, ?)", placed)
        self._event_count += len(rows)

    async def read_events(self, epoch: int, start: int, count: int) -> list[bytes]:
        """See `Store.read_events`."""
        return await self._run(self._read_events, epoch, start, count)

    def _read_events(self, epoch: int, start: int, count: int) -> list[bytes]:
        # Positions count from 1 without gaps: events are deleted by whole epochs only.
        base = epoch * EPOCH_POSITIONS
        query = "SELECT position, raw FROM events WHERE position > ? AND position < ? ORDER BY position LIMIT ?"
        rows = self._database.execute(query, (base + start, base + EPOCH_POSITIONS, count)).fetchall()
        if rows and rows[-1][0] != base + start + len(rows):
            raise damaged(self._path, f"a gap after event {start}")
        return [raw for _, raw in rows]

    async def newest_own(self) -> int:
        """See `Store.newest_own`."""
        return await self._run(self._newest_own)

    def _newest_own(self) -> int:
        base = self._epoch * EPOCH_POSITIONS
        ((newest,),) = self._database.execute("SELECT MAX(own_seq) FROM events WHERE own_seq >= ?", (base,)).fetchall()
        return -1 if newest is None else int(newest - base)

    # The current epoch.

    async def begin_epoch(self, closed: ClosedEpoch) -> None:
        """See `Store.begin_epoch`."""
        with trio.CancelScope(shield=True):
            await self._run(self._begin_epoch, closed)

    def _begin_epoch(self, closed: ClosedEpoch) -> None:
        record = closed.record
        self._check_continues([record])
        if record.number <= self._epoch:
            return
        with self._transaction("FULL") as database:
            database.execute(
                "INSERT OR IGNORE INTO records (number, record) VALUES (?, ?)", (record.number, record.raw)
            )
            row = (record.number, closed.snapshot, encode_groups(closed))
            database.execute("INSERT INTO turns VALUES (?, ?, ?)", row)
        self._epoch, self._event_count = record.number, 0
        self._newest_record = max(self._newest_record, record.number)

    async def read_opening(self) -> ClosedEpoch | None:
        """See `Store.read_opening`."""
        return await self._run(self._read_opening) if self._epoch else None

    def _read_opening(self) -> ClosedEpoch:
        query = "SELECT record, snapshot, groups FROM records JOIN turns USING (number) WHERE number = ?"
        row: tuple[bytes, bytes, bytes] = self._database.execute(query, (self._epoch,)).fetchone()
        try:
            return decode_closed(self._epoch, *row)
        except ValueError as error:
            raise damaged(self._path, error) from None

    async def read_snapshot(self, epoch: int) -> bytes | None:
        """See `Store.read_snapshot`."""
        return await self._run(self._read_snapshot, epoch)

    def _read_snapshot(self, epoch: int) -> bytes | None:
        query = "SELECT snapshot FROM turns WHERE number = ?"
        row: tuple[bytes] | None = self._database.execute(query, (epoch,)).fetchone()
        return None if row is None else row[0]

    # The chain of records.

    async def append_records(self, chain: Sequence[SealedRecord]) -> None:
        """See `Store.append_records`."""
        with trio.CancelScope(shield=True):
            await self._run(self._append_records, chain)

    def _append_records(self, chain: Sequence[SealedRecord]) -> None:
        self._check_continues([sealed.record for sealed in chain])
        rows = [(sealed.record.number, sealed.record.raw, sealed.raw) for sealed in chain]
        with self._transaction("NORMAL") as database:
            database.executemany(
                "INSERT INTO records VALUES (?, ?, ?) "
                "ON CONFLICT DO UPDATE SET sealed = excluded.sealed WHERE sealed IS NULL",
                rows,
            )
        self._newest_record = max([self._newest_record, *(number for number, _, _ in rows)])

    def _check_continues(self, chain: Sequence[EpochRecord]) -> None:
        query = "SELECT number, record FROM records WHERE number BETWEEN ? AND ?"
        bounds = (chain[0].number, chain[-1].number) if chain else (1, 0)
        try:
            check_continues(self._newest_record, dict(self._database.execute(query, bounds).fetchall()), chain)
        except StoreError as error:
            raise StoreError(f"{self._path}: {error}") from None

    async def write_seals(self, sealed: SealedRecord) -> None:
        """See `Store.write_seals`."""
        if sealed.record.number > self._newest_record:
            raise StoreError(f"{self._path}: epoch {sealed.record.number} is not in the chain")
        await self.append_records([sealed])

    async def replace_records(self, chain: Sequence[SealedRecord], closed: ClosedEpoch) -> None:
        """See `Store.replace_records`."""
        with trio.CancelScope(shield=True):
            await self._run(self._replace_records, chain, closed)

    def _replace_records(self, chain: Sequence[SealedRecord], closed: ClosedEpoch) -> None:
        check_continues(self._newest_record, {}, [sealed.record for sealed in chain])
        first, last = chain[0].record.number, closed.record.number
        right = {sealed.record.number: sealed.record.raw for sealed in chain}
        records = [(one.record.number, one.record.raw, one.raw if one.seals else None) for one in chain]
        with self._transaction("FULL") as database:
            query = "SELECT number, record FROM records WHERE number >= ?"
            stored: dict[int, bytes] = dict(database.execute(query, (first,)).fetchall())
            for number in [number for number, record in stored.items() if right.get(number) != record]:
                bounds = (number * EPOCH_POSITIONS, (number + 1) * EPOCH_POSITIONS)
                database.execute("DELETE FROM events WHERE position > ? AND position < ?", bounds)
                database.execute("DELETE FROM turns WHERE number = ?", (number,))
            database.execute("DELETE FROM records WHERE number >= ?", (first,))
            database.executemany("INSERT INTO records VALUES (?, ?, ?)", records)
            row = (last, closed.snapshot, encode_groups(closed))
            database.execute("INSERT OR REPLACE INTO turns VALUES (?, ?, ?)", row)
        extent = read_extent(self._database, self._path)
        self._epoch, self._newest_record, self._event_count = extent.epoch, extent.newest_record, extent.events

    async def read_record(self, epoch: int) -> EpochRecord | None:
        """See `Store.read_record`."""
        return await self._run(self._read_record, epoch)

    def _read_record(self, epoch: int) -> EpochRecord | None:
        row = self._database.execute("SELECT record FROM records WHERE number = ?", (epoch,)).fetchone()
        try:
            return None if row is None else decode_record(row[0])
        except ValueError as error:
            raise damaged(self._path, error) from None

    async def read_sealed_records(self, first: int, count: int) -> list[SealedRecord]:
        """See `Store.read_sealed_records`."""
        return await self._run(self._read_sealed_records, first, count)

    def _read_sealed_records(self, first: int, count: int) -> list[SealedRecord]:
        query = "SELECT sealed FROM records WHERE number >= ? ORDER BY number LIMIT ?"
        rows = self._database.execute(query, (first, count)).fetchall()
        sealed = [raw for (raw,) in itertools.takewhile(lambda row: row[0] is not None, rows)]
        try:
            return [decode_sealed(raw) for raw in sealed]
        except ValueError as error:
            raise damaged(self._path, error) from None

    async def prune(self, keep: int) -> None:
        """See `Store.prune`."""
        while await self._run(self._prune_some, self._epoch - keep):
            pass

    def _prune_some(self, last: int) -> bool:
        """Delete some of the epochs up to `last`; return whether there may be more."""
        with self._transaction("NORMAL") as database:
            database.execute("DELETE FROM turns WHERE number <= ?", (last,))
            deleted = database.execute(
                "DELETE FROM events WHERE position IN (SELECT position FROM events WHERE position < ? LIMIT ?)",
                ((last + 1) * EPOCH_POSITIONS, _PRUNED_AT_A_TIME),
            ).rowcount
        return deleted == _PRUNED_AT_A_TIME
