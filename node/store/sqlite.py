"""The store on disk: SQLite in WAL mode, one connection, one thread at a time."""

import contextlib
import itertools
import os
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TypeAlias, TypeVar, TypeVarTuple

import trio

from consensus.epoch import EpochRecord, SealedRecord, decode_record, decode_sealed
from consensus.event import Event
from consensus.outcome import ClosedEpoch
from node.store import StoreError, join, read_closed, write_groups
from node.store.correction import EPOCH, correct
from node.store.lock import lock_directory

_FORMAT = 2
_SCHEMA = """
CREATE TABLE facts (name TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT;
CREATE TABLE records (number INTEGER PRIMARY KEY, record BLOB NOT NULL, sealed BLOB) STRICT;
CREATE TABLE turns (
    number INTEGER PRIMARY KEY, -- of the epoch that was turned to; its record is in the chain
    snapshot BLOB NOT NULL, -- of the ledger with which it began
    groups BLOB NOT NULL -- own transactions that the close before it cut off
) STRICT;
CREATE TABLE events (
    position INTEGER PRIMARY KEY, -- epoch << 40 | number in it, from 1
    own_seq INTEGER UNIQUE, -- epoch << 40 | seq; null for received events: a second own event is refused here
    raw BLOB NOT NULL
) STRICT;
"""
_PRUNED = 4096  # events deleted at a time, so that own events can be stored between
_REFETCH = "move the file away and start again: the node fetches all events from its peers"

_FAILURES = (sqlite3.Error, UnicodeDecodeError)

_Row: TypeAlias = tuple[int | None, bytes]  # own seq, raw
_T = TypeVar("_T")
_Args = TypeVarTuple("_Args")


class SqliteStore:
    """`Store` in `directory`, for the node `member` in the swarm with this genesis digest.

    Raises StoreError if the directory is in use, belongs to another node or swarm, or is damaged.
    """

    def __init__(self, directory: Path, *, genesis: bytes, member: bytes) -> None:
        self._path = directory / "events.sqlite"
        self._limiter = trio.CapacityLimiter(1)
        self._lock = lock_directory(directory / "lock")
        self._number = self._newest = self._count = 0  # current epoch, last record, events of the current epoch
        try:
            self._database = self._open(genesis, member)
        except BaseException:
            os.close(self._lock)
            raise

    @property
    def place(self) -> str:
        """See `Store.place`."""
        return str(self._path)

    @property
    def number(self) -> int:
        """See `Store.number`."""
        return self._number

    @property
    def newest(self) -> int:
        """See `Store.newest`."""
        return self._newest

    async def append(self, events: Sequence[Event]) -> None:
        """See `Store.append`."""
        rows: list[_Row] = [(None, event.raw) for event in events]
        await self._run(self._insert, "NORMAL", rows)

    async def append_own(self, event: Event) -> None:
        """See `Store.append_own`."""
        rows: list[_Row] = [(event.seq, event.raw)]
        with trio.CancelScope(shield=True):  # a write that was begun is waited for: its outcome must be known
            await self._run(self._insert, "FULL", rows)

    async def read(self, start: int, count: int) -> list[bytes]:
        """See `Store.read`."""
        return await self.read_epoch(self._number, start, count)

    async def read_epoch(self, number: int, start: int, count: int) -> list[bytes]:
        """See `Store.read_epoch`."""
        return await self._run(self._select, number, start, count)

    async def read_closed(self, start: int, count: int) -> list[bytes]:
        """See `Store.read_closed`."""
        return await self.read_epoch(self._number - 1, start, count) if self._number else []

    async def turn(self, closed: ClosedEpoch) -> None:
        """See `Store.turn`."""
        with trio.CancelScope(shield=True):
            await self._run(self._turn, closed)

    async def opened(self) -> ClosedEpoch | None:
        """See `Store.opened`."""
        return await self._run(self._opened) if self._number else None

    async def correct(self, chain: Sequence[SealedRecord], closed: ClosedEpoch) -> None:
        """See `Store.correct`."""
        with trio.CancelScope(shield=True):
            await self._run(self._correct, chain, closed)

    async def record(self, number: int) -> EpochRecord | None:
        """See `Store.record`."""
        return await self._run(self._record, number)

    async def snapshot(self, number: int) -> bytes | None:
        """See `Store.snapshot`."""
        return await self._run(self._snapshot, number)

    async def save_seals(self, sealed: SealedRecord) -> None:
        """See `Store.save_seals`."""
        if sealed.record.number > self._newest:
            raise StoreError(f"{self._path}: epoch {sealed.record.number} is not in the chain")
        await self.extend([sealed])

    async def extend(self, chain: Sequence[SealedRecord]) -> None:
        """See `Store.extend`."""
        with trio.CancelScope(shield=True):
            await self._run(self._extend, chain)

    async def records(self, first: int, count: int) -> list[SealedRecord]:
        """See `Store.records`."""
        return await self._run(self._records, first, count)

    async def prune(self, keep: int) -> None:
        """See `Store.prune`."""
        while await self._run(self._prune, self._number - keep):
            pass

    async def close(self) -> None:
        """See `Store.close`."""
        with trio.CancelScope(shield=True):
            await trio.to_thread.run_sync(self._database.close, limiter=self._limiter)
        os.close(self._lock)

    async def _run(self, work: Callable[[*_Args], _T], *args: *_Args) -> _T:
        try:
            return await trio.to_thread.run_sync(work, *args, limiter=self._limiter)
        except _FAILURES as error:
            raise self._explained(error) from None

    @contextlib.contextmanager
    def _transaction(self, synchronous: str) -> Iterator[sqlite3.Connection]:
        self._database.execute(f"PRAGMA synchronous={synchronous}")
        with self._database:
            self._database.execute("BEGIN IMMEDIATE")
            yield self._database

    def _insert(self, synchronous: str, rows: list[_Row]) -> None:
        base = self._number * EPOCH
        placed = [
            (base + place, None if seq is None else base + seq, raw)
            for place, (seq, raw) in enumerate(rows, self._count + 1)
        ]
        with self._transaction(synchronous) as database:
            database.executemany("INSERT INTO events VALUES (?, ?, ?)", placed)
        self._count += len(rows)

    def _select(self, number: int, start: int, count: int) -> list[bytes]:
        # Positions count from 1 without gaps: events are deleted by whole epochs only.
        base = number * EPOCH
        query = "SELECT position, raw FROM events WHERE position > ? AND position < ? ORDER BY position LIMIT ?"
        rows = self._database.execute(query, (base + start, base + EPOCH, count)).fetchall()
        if rows and rows[-1][0] != base + start + len(rows):
            raise self._damaged(f"a gap after event {start}")
        return [raw for _, raw in rows]

    def _turn(self, closed: ClosedEpoch) -> None:
        record = closed.record
        self._join([record])
        if record.number <= self._number:
            return
        with self._transaction("FULL") as database:
            database.execute(
                "INSERT OR IGNORE INTO records (number, record) VALUES (?, ?)", (record.number, record.raw)
            )
            row = (record.number, closed.snapshot, write_groups(closed))
            database.execute("INSERT INTO turns VALUES (?, ?, ?)", row)
        self._number, self._count = record.number, 0
        self._newest = max(self._newest, record.number)

    def _correct(self, chain: Sequence[SealedRecord], closed: ClosedEpoch) -> None:
        join(self._newest, {}, [sealed.record for sealed in chain])
        with self._transaction("FULL") as database:
            correct(database, chain, closed)
        self._find_place(self._database)

    def _record(self, number: int) -> EpochRecord | None:
        row = self._database.execute("SELECT record FROM records WHERE number = ?", (number,)).fetchone()
        try:
            return None if row is None else decode_record(row[0])
        except ValueError as error:
            raise self._damaged(error) from None

    def _opened(self) -> ClosedEpoch:
        query = "SELECT record, snapshot, groups FROM records JOIN turns USING (number) WHERE number = ?"
        row: tuple[bytes, bytes, bytes] = self._database.execute(query, (self._number,)).fetchone()
        try:
            return read_closed(self._number, *row)
        except ValueError as error:
            raise self._damaged(error) from None

    def _snapshot(self, number: int) -> bytes | None:
        query = "SELECT snapshot FROM turns WHERE number = ?"
        row: tuple[bytes] | None = self._database.execute(query, (number,)).fetchone()
        return None if row is None else row[0]

    def _extend(self, chain: Sequence[SealedRecord]) -> None:
        self._join([sealed.record for sealed in chain])
        rows = [(sealed.record.number, sealed.record.raw, sealed.raw) for sealed in chain]
        with self._transaction("NORMAL") as database:
            database.executemany(
                "INSERT INTO records VALUES (?, ?, ?) "
                "ON CONFLICT DO UPDATE SET sealed = excluded.sealed WHERE sealed IS NULL",
                rows,
            )
        self._newest = max([self._newest, *(number for number, _, _ in rows)])

    def _records(self, first: int, count: int) -> list[SealedRecord]:
        query = "SELECT sealed FROM records WHERE number >= ? ORDER BY number LIMIT ?"
        rows = self._database.execute(query, (first, count)).fetchall()
        sealed = [raw for (raw,) in itertools.takewhile(lambda row: row[0] is not None, rows)]
        try:
            return [decode_sealed(raw) for raw in sealed]
        except ValueError as error:
            raise self._damaged(error) from None

    def _join(self, chain: Sequence[EpochRecord]) -> None:
        query = "SELECT number, record FROM records WHERE number BETWEEN ? AND ?"
        bounds = (chain[0].number, chain[-1].number) if chain else (1, 0)
        try:
            join(self._newest, dict(self._database.execute(query, bounds).fetchall()), chain)
        except StoreError as error:
            raise StoreError(f"{self._path}: {error}") from None

    def _prune(self, last: int) -> bool:
        """Deletes something of the epochs up to `last`; whether there may be more."""
        with self._transaction("NORMAL") as database:
            database.execute("DELETE FROM turns WHERE number <= ?", (last,))
            deleted = database.execute(
                "DELETE FROM events WHERE position IN (SELECT position FROM events WHERE position < ? LIMIT ?)",
                ((last + 1) * EPOCH, _PRUNED),
            ).rowcount
        return deleted == _PRUNED

    def _open(self, genesis: bytes, member: bytes) -> sqlite3.Connection:
        database = None
        try:
            database = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False)
            ((mode,),) = database.execute("PRAGMA journal_mode=WAL").fetchall()
            if mode != "wal":
                raise StoreError(f"{self._path}: the file system cannot hold a WAL; use a local disk")
            self._set_up(database, {"format": b"%d" % _FORMAT, "genesis": genesis, "member": member})
            # What a run left that was cut off may be in the system's memory only, and will be shown to others soon.
            database.execute("PRAGMA synchronous=FULL")
            database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
            self._find_place(database)
            return database
        except BaseException as error:
            if database is not None:
                database.close()
            if isinstance(error, _FAILURES):
                raise self._explained(error) from None
            raise

    def _set_up(self, database: sqlite3.Connection, facts: dict[str, bytes]) -> None:
        ((verdict,),) = database.execute("PRAGMA quick_check(1)").fetchall()
        if verdict != "ok":
            raise self._damaged(verdict.splitlines()[-1])
        if not database.execute("SELECT name FROM sqlite_schema LIMIT 1").fetchall():
            database.executescript(f"BEGIN; {_SCHEMA}")
            database.executemany("INSERT INTO facts VALUES (?, ?)", facts.items())
            database.execute("COMMIT")
        found = dict(database.execute("SELECT name, value FROM facts").fetchall())
        for name, value in facts.items():
            if found.get(name) != value:
                raise StoreError(f"{self._path}: belongs to another {name}; give this node its own directory")

    def _find_place(self, database: sqlite3.Connection) -> None:
        """Reads which epoch is the current one, and checks that the chain leads to it."""
        (self._number,) = database.execute("SELECT COALESCE(MAX(number), 0) FROM turns").fetchone()
        count, least, self._newest = database.execute(
            "SELECT COUNT(*), COALESCE(MIN(number), 1), COALESCE(MAX(number), 0) FROM records"
        ).fetchone()
        if least != 1 or count != self._newest or self._number > self._newest:
            raise self._damaged("the chain of epoch records has gaps")
        (newest,) = database.execute("SELECT COALESCE(MAX(position), 0) FROM events").fetchone()
        self._count = max(0, newest - self._number * EPOCH)
        if self._count >= EPOCH:
            raise self._damaged("events of an epoch that was not opened")

    def _damaged(self, reason: object) -> StoreError:
        return StoreError(f"{self._path}: damaged ({reason}); {_REFETCH}")

    def _explained(self, error: Exception) -> StoreError:
        if isinstance(error, UnicodeDecodeError):  # SQLite quotes names of a damaged schema as they are
            return self._damaged("text that is not UTF-8")
        code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR)  # Python's own errors have none
        remedy = _REFETCH
        if isinstance(error, sqlite3.IntegrityError):
            remedy = f"nothing was written; start again, and should it say so again: {_REFETCH}"
        elif isinstance(error, sqlite3.OperationalError) and code & 0xFF != sqlite3.SQLITE_ERROR:
            remedy = "check free space, permissions and the disk, and start again"  # not the file's fault
        # SQLite quotes what it found: of a damaged schema perhaps control characters.
        what = "".join(letter if letter.isprintable() else "?" for letter in str(error).splitlines()[0])
        return StoreError(f"{self._path}: {what}; {remedy}")
