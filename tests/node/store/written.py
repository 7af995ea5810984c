"""A store on disk as a node left it when its power went, and what a start makes of its files."""

import sqlite3
from dataclasses import dataclass, field
from pathlib import Path

from consensus.event import Event, make_event
from consensus.genesis import Genesis, make_genesis
from consensus.roster import RosterMember
from consensus.settings import Settings
from node.config.identity import Identity
from node.store.sqlite import SqliteStore
from tests.node.store import failing_system

ROOT = Path(__file__).parents[3]
ME, *PEERS = (Identity(bytes([number]) * 32) for number in range(30, 34))
GENESIS: Genesis = make_genesis("damage", [RosterMember(identity.id, 1) for identity in (ME, *PEERS)], Settings())
NAMES = ("events.sqlite", "events.sqlite-wal")
SMALL_PAGE = 512  # bytes; with SQLite's usual 4096, trying every byte takes eight times as long


def chain(identity: Identity, length: int, size: int = 37) -> list[Event]:
    """Events of different sizes: `size` times 0 to 4 bytes of text in them."""
    events: list[Event] = []
    for seq in range(length):
        events.append(
            make_event(
                identity.key,
                epoch=GENESIS.digest,
                seq=seq,
                time=1000 * seq,
                self_parent=events[-1].hash if events else None,
                transactions=({"type": "note", "id": seq, "text": "x" * (seq % 5 * size)},),
            )
        )
    return events


OWN, RECEIVED = chain(ME, 9), chain(PEERS[0], 20)
LARGE = chain(ME, 9, 3000)


def open_store(directory: Path) -> SqliteStore:
    return SqliteStore(directory, genesis=GENESIS.digest, member=ME.id)


def prepare(directory: Path, page: int = SMALL_PAGE) -> Path:
    """A directory whose database will have pages of this size."""
    directory.mkdir(parents=True)
    database = sqlite3.connect(directory / NAMES[0])
    database.execute(f"PRAGMA page_size={page}")
    database.execute("PRAGMA journal_mode=WAL")
    database.execute("VACUUM")
    database.close()
    return directory


def snapshot(directory: Path) -> dict[str, bytes]:
    return {name: (directory / name).read_bytes() for name in NAMES if (directory / name).exists()}


def restore(directory: Path, files: dict[str, bytes]) -> Path:
    """The directory after the crash: these files, and no trace of the process that wrote them."""
    directory.mkdir(exist_ok=True)
    for name in (*NAMES, "events.sqlite-shm"):
        (directory / name).unlink(missing_ok=True)
    for name, data in files.items():
        (directory / name).write_bytes(data)
    return directory


async def read_all(store: SqliteStore) -> list[bytes]:
    rows: list[bytes] = []
    while some := await store.read_events(store.epoch, len(rows), 7):
        rows += some
    return rows


async def recover(directory: Path) -> list[bytes]:
    """Everything in the store of a node that starts; StoreError if it must not start."""
    store = open_store(directory)
    store._database.execute("PRAGMA synchronous=OFF")  # no power will be lost here any more
    try:
        return await read_all(store)
    finally:
        await store.aclose()


@dataclass
class Written:
    """What a node wrote until the power went: files, events in order, and what had been promised when."""

    files: dict[str, bytes]
    raws: list[bytes] = field(default_factory=list)
    promised: list[tuple[int, int]] = field(default_factory=list)  # length of the WAL, events that it keeps

    def kept(self, length: int) -> int:
        """How many events a WAL of this length must keep."""
        return max((count for size, count in self.promised if size <= length), default=0)


async def write(directory: Path, page: int = SMALL_PAGE) -> Written:
    """What a node writes: own and received events by turns, a checkpoint in the middle, no orderly end."""
    store = open_store(prepare(directory, page))
    written = Written({})
    received = iter(RECEIVED)
    for number, own in enumerate(OWN):
        if number == 5:
            store._database.execute("PRAGMA wal_checkpoint(RESTART)")
            written.promised = [(0, len(written.raws))]
        some = [next(received) for _ in range(number % 3)]
        await store.append(some)
        await store.append_own(own)
        written.raws += [event.raw for event in (*some, own)]
        written.promised.append((failing_system.size(directory / NAMES[1]), len(written.raws)))
    written.files = snapshot(directory)
    await store.aclose()
    return written
