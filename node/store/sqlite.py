"""The store on disk: SQLite in WAL mode, one connection, one thread at a time."""

import fcntl
import os
import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeAlias, TypeVar, TypeVarTuple

import trio

from consensus.event import Event
from node.store import StoreError

_FORMAT = 1
_SCHEMA = """
CREATE TABLE facts (name TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT;
CREATE TABLE events (
    position INTEGER PRIMARY KEY,
    hash BLOB NOT NULL UNIQUE,
    own_seq INTEGER UNIQUE, -- null for received events: the database itself refuses a second own event
    raw BLOB NOT NULL
) STRICT;
"""
_REFETCH = "move the file away and start again: the node fetches all events from its peers"

_FAILURES = (sqlite3.Error, UnicodeDecodeError)

_Row: TypeAlias = tuple[bytes, int | None, bytes]  # hash, own seq, raw
_T = TypeVar("_T")
_Args = TypeVarTuple("_Args")


class SqliteStore:
    """`Store` in `directory`, for the node `member` in the swarm with this genesis digest.

    Raises StoreError if the directory is in use, belongs to another node or swarm, or is damaged.
    """

    def __init__(self, directory: Path, *, genesis: bytes, member: bytes) -> None:
        self._path = directory / "events.sqlite"
        self._limiter = trio.CapacityLimiter(1)
        self._lock = _lock(directory / "lock")
        try:
            self._database = self._open(genesis, member)
        except BaseException:
            os.close(self._lock)
            raise

    @property
    def place(self) -> str:
        """See `Store.place`."""
        return str(self._path)

    async def append(self, events: Sequence[Event]) -> None:
        """See `Store.append`."""
        rows: list[_Row] = [(event.hash, None, event.raw) for event in events]
        await self._run(self._insert, "NORMAL", rows)

    async def append_own(self, event: Event) -> None:
        """See `Store.append_own`."""
        rows: list[_Row] = [(event.hash, event.seq, event.raw)]
        with trio.CancelScope(shield=True):  # a write that was begun is waited for: its outcome must be known
            await self._run(self._insert, "FULL", rows)

    async def read(self, start: int, count: int) -> list[bytes]:
        """See `Store.read`."""
        return await self._run(self._select, start, count)

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

    def _insert(self, synchronous: str, rows: list[_Row]) -> None:
        self._database.execute(f"PRAGMA synchronous={synchronous}")
        with self._database:
            self._database.execute("BEGIN IMMEDIATE")
            self._database.executemany("INSERT INTO events (hash, own_seq, raw) VALUES (?, ?, ?)", rows)

    def _select(self, start: int, count: int) -> list[bytes]:
        # Positions count from 1 without gaps: nothing is ever deleted.
        query = "SELECT position, raw FROM events WHERE position > ? ORDER BY position LIMIT ?"
        rows = self._database.execute(query, (start, count)).fetchall()
        if rows and rows[-1][0] != start + len(rows):
            raise StoreError(f"{self._path}: damaged (a gap after event {start}); {_REFETCH}")
        return [raw for _, raw in rows]

    def _open(self, genesis: bytes, member: bytes) -> sqlite3.Connection:
        database = None
        try:
            database = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False)
            ((mode,),) = database.execute("PRAGMA journal_mode=WAL").fetchall()
            if mode != "wal":
                raise StoreError(f"{self._path}: the file system cannot hold a WAL; use a local disk")
            self._set_up(database, {"format": b"%d" % _FORMAT, "genesis": genesis, "member": member})
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
            raise StoreError(f"{self._path}: damaged ({verdict.splitlines()[-1]}); {_REFETCH}")
        if not database.execute("SELECT name FROM sqlite_schema LIMIT 1").fetchall():
            database.executescript(f"BEGIN; {_SCHEMA}")
            database.executemany("INSERT INTO facts VALUES (?, ?)", facts.items())
            database.execute("COMMIT")
        found = dict(database.execute("SELECT name, value FROM facts").fetchall())
        for name, value in facts.items():
            if found.get(name) != value:
                raise StoreError(f"{self._path}: belongs to another {name}; give this node its own directory")

    def _explained(self, error: Exception) -> StoreError:
        if isinstance(error, UnicodeDecodeError):  # SQLite quotes names of a damaged schema as they are
            return StoreError(f"{self._path}: damaged (text that is not UTF-8); {_REFETCH}")
        code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR)  # Python's own errors have none
        remedy = _REFETCH
        if isinstance(error, sqlite3.IntegrityError):
            remedy = f"nothing was written; start again, and should it say so again: {_REFETCH}"
        elif isinstance(error, sqlite3.OperationalError) and code & 0xFF != sqlite3.SQLITE_ERROR:
            remedy = "check free space, permissions and the disk, and start again"  # not the file's fault
        return StoreError(f"{self._path}: {str(error).splitlines()[0]}; {remedy}")


def _lock(path: Path) -> int:
    """Takes the directory for this process: two nodes with one key would equivocate."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise StoreError(f"{path.parent}: cannot be used as a data directory: {error.strerror}") from None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        raise StoreError(f"{path.parent}: in use by another running node; stop that one first") from None
    return descriptor
