"""What both stores promise, and what the one on disk says when it cannot be used."""

import random
import sqlite3
import subprocess
import sys
import textwrap
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Literal

import pytest

from consensus.event import Event, make_event
from node.config.identity import Identity
from node.store import Store, StoreError
from node.store.memory import MemoryDisk, MemoryStore
from node.store.sqlite import SqliteStore

EPOCH = bytes(32)
ME, OTHER = Identity(b"m" * 32), Identity(b"o" * 32)

Opener = Callable[[], Store]


def chain(identity: Identity, length: int, branch: int = 0) -> list[Event]:
    events: list[Event] = []
    for seq in range(length):
        parent = events[-1].hash if events else None
        events.append(make_event(identity.key, epoch=EPOCH, seq=seq, self_parent=parent, time=1000 * seq + branch))
    return events


def open_sqlite(directory: Path) -> SqliteStore:
    return SqliteStore(directory, genesis=EPOCH, member=ME.id)


@pytest.fixture(params=["sqlite", "memory"])
async def open_store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Opener]:
    opened: list[Store] = []
    disk = MemoryDisk()

    def open_store() -> Store:
        opened.append(open_sqlite(tmp_path) if request.param == "sqlite" else MemoryStore(disk))
        return opened[-1]

    yield open_store
    await opened[-1].aclose()


async def test_events_come_back_in_the_order_of_arrival(open_store: Opener) -> None:
    own, received = chain(ME, 3), chain(OTHER, 4)
    store = open_store()
    await store.append(received[:2])
    await store.append_own(own[0])
    await store.append([])
    await store.append(received[2:])
    await store.append_own(own[1])
    await store.append_own(own[2])
    await store.aclose()
    expected = [event.raw for event in (*received[:2], own[0], *received[2:], own[1], own[2])]
    store = open_store()
    assert await store.read_events(store.epoch, 0, 100) == expected
    assert await store.read_events(store.epoch, 2, 3) == expected[2:5]
    assert await store.read_events(store.epoch, 7, 3) == []


async def test_own_events_that_came_from_peers_are_told_from_those_made_here(open_store: Opener) -> None:
    own = chain(ME, 4)
    store = open_store()
    assert await store.newest_own() == -1
    await store.append(own[:1])
    assert await store.newest_own() == -1
    await store.append_own(own[1])
    await store.append_own(own[2])
    await store.append(own[3:])
    assert await store.newest_own() == 2
    await store.aclose()
    assert await open_store().newest_own() == 2


async def test_a_second_own_event_with_one_sequence_number_is_refused(open_store: Opener) -> None:
    store = open_store()
    for event in chain(ME, 2):
        await store.append_own(event)
    for second in chain(ME, 2, branch=1):
        with pytest.raises(StoreError):
            await store.append_own(second)
    await store.aclose()
    store = open_store()
    with pytest.raises(StoreError):
        await store.append_own(chain(ME, 2, branch=1)[1])
    assert await store.read_events(store.epoch, 0, 9) == [event.raw for event in chain(ME, 2)]


def test_a_crash_of_the_disk_in_memory_loses_unsynced_events_only() -> None:
    import trio

    async def run(seed: int) -> int:
        disk = MemoryDisk()
        store = MemoryStore(disk)
        await store.append(chain(OTHER, 3))
        await store.append_own(chain(ME, 1)[0])
        await store.append(chain(OTHER, 9)[3:])
        disk.crash(random.Random(seed))
        kept = await MemoryStore(disk).read_events(MemoryStore(disk).epoch, 0, 99)
        everything = [event.raw for event in (*chain(OTHER, 3), *chain(ME, 1), *chain(OTHER, 9)[3:])]
        assert kept == everything[: len(kept)]
        return len(kept)

    lengths = {trio.run(run, seed) for seed in range(60)}
    assert lengths == set(range(4, 11))


async def test_a_full_disk_in_memory_is_an_error() -> None:
    disk = MemoryDisk()
    store = MemoryStore(disk)
    disk.full = True
    with pytest.raises(StoreError, match="full"):
        await store.append(chain(OTHER, 4))
    with pytest.raises(StoreError, match="full"):
        await store.append_own(chain(ME, 1)[0])
    assert len(disk.events) == 2  # as much as there was room for


async def test_a_disk_in_memory_that_cannot_sync_may_keep_what_was_written() -> None:
    disk = MemoryDisk()
    disk.unsyncable = True
    with pytest.raises(StoreError, match="sync"):
        await MemoryStore(disk).append_own(chain(ME, 1)[0])
    kept = {disk.copy().crash(random.Random(seed)) for seed in range(20)}
    assert kept == {0, 1}


async def test_one_directory_serves_one_node_at_a_time(tmp_path: Path) -> None:
    store = open_sqlite(tmp_path)
    with pytest.raises(StoreError, match="in use by another running node"):
        open_sqlite(tmp_path)
    await store.aclose()
    await open_sqlite(tmp_path).aclose()


async def test_a_directory_of_another_swarm_or_node_is_refused(tmp_path: Path) -> None:
    await open_sqlite(tmp_path).aclose()
    with pytest.raises(StoreError, match="another genesis"):
        SqliteStore(tmp_path, genesis=b"g" * 32, member=ME.id)
    with pytest.raises(StoreError, match="another member"):
        SqliteStore(tmp_path, genesis=EPOCH, member=OTHER.id)
    with pytest.raises(StoreError, match="founded by an earlier version of the program, with other rules") as error:
        SqliteStore(tmp_path, genesis=b"g" * 32, member=ME.id, earlier=EPOCH)
    assert_one_clear_line(error, tmp_path)
    await open_sqlite(tmp_path).aclose()


def assert_one_clear_line(error: pytest.ExceptionInfo[StoreError], path: Path) -> None:
    text = str(error.value)
    assert "\n" not in text
    assert str(path) in text
    assert ";" in text, "a remedy"


def test_a_directory_that_is_not_there_gives_one_line(tmp_path: Path) -> None:
    with pytest.raises(StoreError) as error:
        open_sqlite(tmp_path / "none")
    assert "cannot be used as a data directory: No such file or directory" in str(error.value)


@pytest.mark.parametrize("damage", ["garbage", "header", "pages", "truncated", "format"])
async def test_a_damaged_file_gives_one_line(tmp_path: Path, damage: str) -> None:
    store = open_sqlite(tmp_path)
    await store.append(chain(OTHER, 400))
    await store.aclose()
    path = tmp_path / "events.sqlite"
    data = path.read_bytes()
    assert len(data) > 30 * 4096
    if damage == "garbage":
        path.write_bytes(b"this is not a database" * 1000)
    elif damage == "header":
        path.write_bytes(b"\xff" * 4096 + data[4096:])
    elif damage == "pages":
        path.write_bytes(data[:8192] + b"\xff" * 40960 + data[49152:])
    elif damage == "truncated":
        path.write_bytes(data[: len(data) // 2])
    else:
        database = sqlite3.connect(path)
        with database:
            database.execute("UPDATE facts SET value = x'39' WHERE name = 'format'")
        database.close()
    with pytest.raises(StoreError) as error:
        open_sqlite(tmp_path)
    assert_one_clear_line(error, path)
    # The lock is free again, and the remedy works.
    path.unlink()
    await open_sqlite(tmp_path).aclose()


async def test_a_wal_cut_at_any_byte_leaves_a_prefix(tmp_path: Path) -> None:
    events = chain(OTHER, 6)
    store = open_sqlite(tmp_path)
    for event in events:
        await store.append([event])
    files = {name: (tmp_path / name).read_bytes() for name in ("events.sqlite", "events.sqlite-wal")}
    await store.aclose()
    wal = files["events.sqlite-wal"]
    lengths = set()
    for cut in [*range(0, len(wal), 997), len(wal)]:
        copy = tmp_path / str(cut)
        copy.mkdir()
        (copy / "events.sqlite").write_bytes(files["events.sqlite"])
        (copy / "events.sqlite-wal").write_bytes(wal[:cut])
        store = open_sqlite(copy)
        kept = await store.read_events(store.epoch, 0, 99)
        await store.aclose()
        assert kept == [event.raw for event in events[: len(kept)]]
        lengths.add(len(kept))
    assert lengths == set(range(7))


async def test_a_full_disk_gives_one_line_and_loses_nothing(tmp_path: Path) -> None:
    store = open_sqlite(tmp_path)
    events = chain(OTHER, 300)
    await store.append(events[:10])
    store._database.execute("PRAGMA max_page_count=20")
    with pytest.raises(StoreError, match=r"full.*check free space"):
        await store.append(events[10:])
    assert await store.read_events(store.epoch, 0, 999) == [event.raw for event in events[:10]]
    await store.aclose()


def test_an_own_event_survives_a_kill_right_after_it_was_stored(tmp_path: Path) -> None:
    program = textwrap.dedent(f"""
        import os, trio
        from pathlib import Path
        from tests.node.store.test_store import ME, OTHER, chain, open_sqlite

        async def main():
            store = open_sqlite(Path({str(tmp_path)!r}))
            await store.append(chain(OTHER, 5))
            for event in chain(ME, 3):
                await store.append_own(event)
            os.kill(os.getpid(), 9)

        trio.run(main)
    """)
    root = Path(__file__).parents[3]
    done = subprocess.run([sys.executable, "-c", program], cwd=root, check=False, timeout=60)
    assert done.returncode == -9

    async def read() -> list[bytes]:
        store = open_sqlite(tmp_path)
        found = await store.read_events(store.epoch, 0, 99)
        await store.aclose()
        return found

    import trio

    assert trio.run(read) == [event.raw for event in (*chain(OTHER, 5), *chain(ME, 3))]


async def test_own_events_are_synced_and_received_ones_are_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = open_sqlite(tmp_path)
    levels: list[int] = []
    insert = store._insert

    def spy(synchronous: Literal["NORMAL", "FULL"], rows: list[tuple[int | None, bytes]]) -> None:
        insert(synchronous, rows)
        levels.append(store._database.execute("PRAGMA synchronous").fetchone()[0])

    monkeypatch.setattr(store, "_insert", spy)
    await store.append(chain(OTHER, 1))
    await store.append_own(chain(ME, 1)[0])
    await store.append(chain(OTHER, 2)[1:])
    assert levels == [1, 2, 1]  # NORMAL, FULL, NORMAL
    await store.aclose()


async def test_a_store_says_where_it_is(tmp_path: Path) -> None:
    store = open_sqlite(tmp_path)
    assert store.place == str(tmp_path / "events.sqlite")
    assert "\n" not in MemoryStore(MemoryDisk()).place
    await store.aclose()
