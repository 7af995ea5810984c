"""The database file of a store: its tables, how it is opened and checked, and what to do when it fails."""

import contextlib
import sqlite3
from dataclasses import dataclass
from pathlib import Path

from consensus.epoch import decode_record
from node.store import StoreError

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
_REFETCH = "move the file away and start again: the node fetches all events from its peers"

EPOCH_POSITIONS = 1 << 40
"""Positions of events that one epoch has for itself."""

FAILURES = (sqlite3.Error, UnicodeDecodeError)
"""What SQLite raises; SQLite quotes names of a damaged schema as they are, so they may be no UTF-8."""


@dataclass(frozen=True)
class Extent:
    """How far the stored epochs reach."""

    epoch: int  # the current one
    newest_record: int  # 0 if there is none
    events: int  # of the current epoch


def open_database(
    path: Path, *, genesis: bytes, member: bytes, earlier: bytes | None = None
) -> tuple[sqlite3.Connection, Extent]:
    """Open or make the file of the node `member` in the swarm with this genesis digest; return how far it reaches too.

    `earlier` is the digest of this genesis in the version before. Everything that is in the file then is durable. Raise
    StoreError if it is damaged, or belongs to another node or swarm.
    """
    database = None
    try:
        database = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        ((mode,),) = database.execute("PRAGMA journal_mode=WAL").fetchall()
        if mode != "wal":
            raise StoreError(f"{path}: the file system cannot hold a WAL; use a local disk")
        facts = {"format": b"%d" % _FORMAT, "genesis": genesis, "member": member}
        _set_up(database, path, facts, earlier)
        # What an interrupted run left may be in the system's memory only, and will be shown to others soon.
        database.execute("PRAGMA synchronous=FULL")
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        return database, read_extent(database, path)
    except BaseException as error:
        if database is not None:
            database.close()
        if isinstance(error, FAILURES):
            raise explain(path, error) from None
        raise


def _set_up(database: sqlite3.Connection, path: Path, facts: dict[str, bytes], earlier: bytes | None) -> None:
    ((verdict,),) = database.execute("PRAGMA quick_check(1)").fetchall()
    if verdict != "ok":
        raise damaged(path, verdict.splitlines()[-1])
    if not database.execute("SELECT name FROM sqlite_schema LIMIT 1").fetchall():
        database.executescript(f"BEGIN; {_SCHEMA}")
        database.executemany("INSERT INTO facts VALUES (?, ?)", facts.items())
        database.execute("COMMIT")
    found = dict(database.execute("SELECT name, value FROM facts").fetchall())
    if earlier is not None and found.get("genesis") == earlier:
        raise StoreError(
            f"{path}: this swarm was founded by an earlier version of the program, with other rules; run it with that "
            "version, or found a new swarm in other directories (the old certificates stay valid)"
        )
    for name, value in facts.items():
        if found.get(name) != value:
            raise StoreError(f"{path}: belongs to another {name}; give this node its own directory")


def read_extent(database: sqlite3.Connection, path: Path) -> Extent:
    """Read how far the stored epochs reach. Raise StoreError if the chain does not lead to the current one."""
    (epoch,) = database.execute("SELECT COALESCE(MAX(number), 0) FROM turns").fetchone()
    count, first, newest = database.execute(
        "SELECT COUNT(*), COALESCE(MIN(number), 1), COALESCE(MAX(number), 0) FROM records"
    ).fetchone()
    if first != 1 or count != newest or epoch > newest:
        raise damaged(path, "the chain of epoch records has gaps")
    (position,) = database.execute("SELECT COALESCE(MAX(position), 0) FROM events").fetchone()
    events = max(0, position - epoch * EPOCH_POSITIONS)
    if events >= EPOCH_POSITIONS:
        raise damaged(path, "events of an epoch that was not opened")
    return Extent(epoch, newest, events)


def damaged(path: Path, reason: object) -> StoreError:
    """Return the error about a damaged file."""
    return StoreError(f"{path}: damaged ({reason}); {_REFETCH}")


def explain(path: Path, error: Exception) -> StoreError:
    """Return one of the `FAILURES` as an error with its remedy."""
    if isinstance(error, UnicodeDecodeError):
        return damaged(path, "text that is not UTF-8")
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR)  # Python's own errors have none
    remedy = _REFETCH
    if isinstance(error, sqlite3.IntegrityError):
        remedy = f"nothing was written; start again, and should it say so again: {_REFETCH}"
    elif isinstance(error, sqlite3.OperationalError) and code & 0xFF != sqlite3.SQLITE_ERROR:
        remedy = "check free space, permissions and the disk, and start again"  # not the file's fault
    # SQLite quotes what it found: of a damaged schema perhaps control characters.
    what = "".join(letter if letter.isprintable() else "?" for letter in str(error).splitlines()[0])
    return StoreError(f"{path}: {what}; {remedy}")


@dataclass(frozen=True)
class Stored:
    """What a file has, read without changing it: by which swarm and node, and what opened the current epoch."""

    genesis: bytes
    member: bytes
    opening: tuple[int, bytes, bytes, bytes] | None  # number, record, snapshot, groups; None in the first epoch


def look_into(path: Path) -> Stored:
    """Read what a file has, also while a node runs with it. Raise StoreError if this program does not read it."""
    try:
        with contextlib.closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as database:
            facts = dict(database.execute("SELECT name, value FROM facts").fetchall())
            if facts.get("format") != b"%d" % _FORMAT:
                found = facts.get("format", b"?").decode(errors="replace")
                remedy = f"go on with the version that wrote it, or {_REFETCH}"
                raise StoreError(f"{path}: is of format {found}, and this program reads {_FORMAT}; {remedy}")
            query = "SELECT number, record, snapshot, groups FROM records JOIN turns USING (number) "
            opening = database.execute(f"{query} ORDER BY number DESC LIMIT 1").fetchone()
            return Stored(facts["genesis"], facts["member"], opening)
    except KeyError as error:
        raise damaged(path, f"it has no {error}") from None
    except FAILURES as error:
        raise explain(path, error) from None


def agreed_address(path: Path, genesis: bytes, member: bytes) -> str:
    """Return where a member is by the record that opened the current epoch, "" if there is none or it does not say.

    A founder's address is there only after a vote on it. Raise StoreError, ValueError if the file is damaged.
    """
    if not path.exists():
        return ""
    stored = look_into(path)
    if stored.genesis != genesis or stored.opening is None:
        return ""
    roster = decode_record(stored.opening[1]).roster
    return roster.member(member).address if member in roster else ""
