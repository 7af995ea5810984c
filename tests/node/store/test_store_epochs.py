"""Epochs in both stores: their beginnings, the chain of records, jumps, pruning, and what a crash may take of it."""

import random
import sqlite3
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import trio

from consensus.event import Event, make_event
from consensus.outcome import ClosedEpoch
from node.config.identity import Identity
from node.store import Store, StoreError
from node.store.memory import MemoryDisk, MemoryStore
from node.store.sqlite import SqliteStore
from tests.node.statesync.chains import Link, links

ME, OTHER = Identity(b"m" * 32), Identity(b"o" * 32)
LINKS = links([ME, OTHER], 6)

Opener = Callable[[], Store]


def events(identity: Identity, number: int, count: int) -> list[Event]:
    """The first events of a member in an epoch."""
    made: list[Event] = []
    for seq in range(count):
        parent = made[-1].hash if made else None
        made.append(
            make_event(identity.key, epoch=LINKS[number - 1].record.digest, seq=seq, self_parent=parent, time=seq)
        )
    return made


def raws(some: Sequence[Event]) -> list[bytes]:
    return [event.raw for event in some]


def open_sqlite(directory: Path) -> SqliteStore:
    return SqliteStore(directory, genesis=bytes(32), member=ME.id)


@pytest.fixture(params=["sqlite", "memory"])
async def open_store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Opener]:
    opened: list[Store] = []
    disk = MemoryDisk()

    def open_store() -> Store:
        opened.append(open_sqlite(tmp_path) if request.param == "sqlite" else MemoryStore(disk))
        return opened[-1]

    yield open_store
    await opened[-1].aclose()


async def begin(store: Store, link: Link) -> None:
    await store.begin_epoch(link.closed)


async def test_each_epoch_has_events_of_its_own(open_store: Opener) -> None:
    store = open_store()
    assert (store.epoch, await store.read_opening()) == (0, None)
    expected = {}
    for number in (1, 2, 3):
        await begin(store, LINKS[number - 1])
        own, received = events(ME, number, 2), events(OTHER, number, 3)
        await store.append(received[:2])
        await store.append_own(own[0])
        await store.append(received[2:])
        await store.append_own(own[1])
        expected[number] = raws([*received[:2], own[0], received[2], own[1]])
    await store.aclose()
    store = open_store()
    assert store.epoch == 3
    assert await store.read_opening() == LINKS[2].closed
    assert await store.read_events(store.epoch, 0, 99) == expected[3]
    for number, found in expected.items():
        assert await store.read_events(number, 1, 3) == found[1:4]
        assert await store.read_snapshot(number) == LINKS[number - 1].snapshot
    assert await store.read_events(4, 0, 9) == []
    with pytest.raises(StoreError):
        await store.append_own(events(ME, 3, 2)[1])


async def test_an_epoch_begins_once_and_in_order(open_store: Opener) -> None:
    store = open_store()
    with pytest.raises(StoreError, match="epoch 2 cannot follow epoch 0"):
        await begin(store, LINKS[1])
    await begin(store, LINKS[0])
    await store.append(events(OTHER, 1, 2))
    await begin(store, LINKS[0])
    assert await store.read_events(store.epoch, 0, 9) == raws(events(OTHER, 1, 2))
    other = replace(LINKS[0].record, ordered=LINKS[0].record.ordered + 1)
    with pytest.raises(StoreError, match=r"opened by another record here; move the file away"):
        await store.begin_epoch(replace(LINKS[0].closed, record=other))
    await begin(store, LINKS[1])
    await begin(store, LINKS[0])
    assert store.epoch == 2
    assert await store.read_events(store.epoch, 0, 9) == []


async def test_the_chain_keeps_its_first_seals(open_store: Opener) -> None:
    store = open_store()
    await begin(store, LINKS[0])
    assert (store.newest_record, await store.read_sealed_records(1, 9)) == (1, [])
    with pytest.raises(StoreError, match="not in the chain"):
        await store.write_seals(LINKS[1].sealed)
    fewer = replace(LINKS[0].sealed, seals=LINKS[0].sealed.seals[:1])
    await store.write_seals(LINKS[0].sealed)
    await store.write_seals(fewer)
    await begin(store, LINKS[1])
    await store.aclose()
    store = open_store()
    assert (store.newest_record, await store.read_sealed_records(1, 9)) == (2, [LINKS[0].sealed])


async def test_a_node_that_was_away_jumps(open_store: Opener) -> None:
    store = open_store()
    await begin(store, LINKS[0])
    await store.append_own(events(ME, 1, 1)[0])
    await store.append_records([link.sealed for link in LINKS[:3]])
    await store.append_records([link.sealed for link in LINKS[2:5]])
    with pytest.raises(StoreError, match="opened by another record here"):
        await store.append_records([replace(LINKS[4].sealed, record=replace(LINKS[4].record, time=999_999))])
    assert store.epoch == 1
    await store.aclose()
    store = open_store()
    assert (store.epoch, len(await store.read_sealed_records(1, 99))) == (1, 5)
    await begin(store, LINKS[4])
    await store.append_own(events(ME, 5, 1)[0])
    await store.aclose()
    store = open_store()
    assert store.epoch == 5
    assert await store.read_opening() == LINKS[4].closed
    assert await store.read_events(store.epoch, 0, 9) == raws(events(ME, 5, 1))
    assert await store.read_events(1, 0, 9) == raws(events(ME, 1, 1))
    assert await store.read_events(3, 0, 9) == []
    assert await store.read_sealed_records(2, 2) == [LINKS[1].sealed, LINKS[2].sealed]
    assert await store.read_events(store.epoch - 1, 0, 9) == []
    await begin(store, LINKS[5])


async def go_wrong(store: Store) -> tuple[ClosedEpoch, ClosedEpoch]:
    """Two epochs that begin rightly and two that do not, each with two events."""
    wrong = [replace(link.closed, record=replace(link.record, ledger=b"\7" * 32)) for link in LINKS[2:4]]
    for closed in (*(link.closed for link in LINKS[:2]), *wrong):
        await store.begin_epoch(closed)
        epoch = closed.record.digest
        own = make_event(ME.key, epoch=epoch, seq=0, self_parent=None, time=1)
        await store.append([make_event(OTHER.key, epoch=epoch, seq=0, self_parent=None, time=1)])
        await store.append_own(own)
    await store.write_seals(LINKS[0].sealed)
    return wrong[0], wrong[1]


@pytest.mark.parametrize("last", [3, 4, 6])
@pytest.mark.parametrize("first", [1, 3])
async def test_a_wrong_chain_is_corrected(open_store: Opener, first: int, last: int) -> None:
    """What was right stays with its events, also if it is written again."""
    store = open_store()
    wrong, _ = await go_wrong(store)
    assert await store.read_record(3) == wrong.record
    right = [await store.read_events(number, 0, 9) for number in (1, 2)]
    await store.replace_records([link.sealed for link in LINKS[first - 1 : last]], LINKS[last - 1].closed)
    await store.append_own(events(ME, last, 1)[0])
    for _ in range(2):
        assert (store.epoch, store.newest_record) == (last, last)
        assert await store.read_opening() == LINKS[last - 1].closed
        assert [await store.read_record(number) for number in (3, 7)] == [LINKS[2].record, None]
        assert [await store.read_events(number, 0, 9) for number in (1, 2)] == right
        assert [len(await store.read_events(number, 0, 9)) for number in range(3, 7)] == [
            int(number == last) for number in range(3, 7)
        ]
        assert [await store.read_snapshot(number) is not None for number in range(1, 7)] == [
            number in (1, 2, last) for number in range(1, 7)
        ]
        assert await store.read_sealed_records(3, 9) == [link.sealed for link in LINKS[2:last]]
        await store.aclose()
        store = open_store()


async def test_a_corrected_record_may_have_to_wait_for_its_seals(open_store: Opener) -> None:
    store = open_store()
    await go_wrong(store)
    await store.replace_records([replace(LINKS[2].sealed, seals=())], LINKS[2].closed)
    assert (store.epoch, await store.read_sealed_records(3, 9)) == (3, [])
    await store.write_seals(LINKS[2].sealed)
    await store.aclose()
    store = open_store()
    assert await store.read_opening() == LINKS[2].closed
    assert await store.read_sealed_records(3, 9) == [LINKS[2].sealed]


async def test_a_correction_begins_where_the_chain_is(open_store: Opener) -> None:
    store = open_store()
    wrong, _ = await go_wrong(store)
    with pytest.raises(StoreError, match="epoch 6 cannot follow epoch 4"):
        await store.replace_records([LINKS[5].sealed], LINKS[5].closed)
    assert await store.read_record(3) == wrong.record
    assert store.epoch == 4


async def test_what_is_pruned_are_events_and_snapshots_of_older_epochs(open_store: Opener) -> None:
    store = open_store()
    for number in range(1, 5):
        await begin(store, LINKS[number - 1])
        await store.append(events(OTHER, number, 3))
    await store.prune(2)
    await store.prune(3)
    await store.append(events(OTHER, 4, 5)[3:])
    await store.aclose()
    store = open_store()
    assert [len(await store.read_events(number, 0, 9)) for number in range(5)] == [0, 0, 0, 3, 5]
    assert [await store.read_snapshot(number) is not None for number in range(1, 5)] == [False, False, True, True]
    assert store.newest_record == 4
    assert await store.read_events(store.epoch - 1, 0, 9) == raws(events(OTHER, 3, 3))
    await store.prune(1)
    assert await store.read_events(3, 0, 9) == []
    assert await store.read_events(store.epoch, 0, 9) == raws(events(OTHER, 4, 5))


def test_a_crash_of_the_disk_in_memory_that_begins_an_epoch_leaves_the_old_epoch_or_the_new_one() -> None:
    async def run(seed: int) -> tuple[int, int, int]:
        disk = MemoryDisk(sync_seconds=0.01)
        store = MemoryStore(disk)
        await store.append_own(events(ME, 1, 1)[0])
        await store.append_records([link.sealed for link in LINKS[:3]])
        await store.append(events(OTHER, 1, 3))
        with trio.move_on_after(0.001):
            await begin(store, LINKS[2])
        disk.crash(random.Random(seed))
        store = MemoryStore(disk)
        found = await store.read_events(0, 0, 9)
        assert found == raws([events(ME, 1, 1)[0], *events(OTHER, 1, 3)])[: len(found)]
        if store.epoch == 3:
            assert await store.read_opening() == LINKS[2].closed
        return store.epoch, len(found), len(await store.read_sealed_records(1, 9))

    seen = {trio.run(run, seed) for seed in range(200)}
    assert (3, 4, 3) in seen
    assert {(number, count) for number, count, _ in seen - {(3, 4, 3)}} == {(0, count) for count in (1, 2, 3, 4)}
    assert {length for number, _, length in seen if number == 0} == {0, 1, 2, 3}


async def test_a_disk_in_memory_that_is_full_or_cannot_sync_begins_no_epoch() -> None:
    for trouble in ("full", "unsyncable"):
        disk = MemoryDisk()
        setattr(disk, trouble, True)
        with pytest.raises(StoreError):
            await begin(MemoryStore(disk), LINKS[0])
        assert disk.epoch == 0


# On a real disk.


async def test_a_beginning_cut_at_any_byte_of_the_log_happened_or_did_not(tmp_path: Path) -> None:
    store = open_sqlite(tmp_path)
    await begin(store, LINKS[0])
    await store.append_own(events(ME, 1, 1)[0])
    promised = (tmp_path / "events.sqlite-wal").stat().st_size
    await begin(store, LINKS[1])
    begun = (tmp_path / "events.sqlite-wal").stat().st_size
    await store.append_own(events(ME, 2, 1)[0])
    files = {name: (tmp_path / name).read_bytes() for name in ("events.sqlite", "events.sqlite-wal")}
    await store.aclose()
    wal = files["events.sqlite-wal"]
    seen = set()
    for cut in [*range(promised, len(wal), 499), begun - 1, begun, len(wal)]:
        copy = tmp_path / str(cut)
        copy.mkdir(exist_ok=True)
        (copy / "events.sqlite").write_bytes(files["events.sqlite"])
        (copy / "events.sqlite-wal").write_bytes(wal[:cut])
        store = open_sqlite(copy)
        number, opened = store.epoch, await store.read_opening()
        assert opened == LINKS[number - 1].closed
        assert number == 1 + (cut >= begun)
        assert await store.read_events(1, 0, 9) == raws(events(ME, 1, 1))
        seen.add((number, len(await store.read_events(store.epoch, 0, 9))))
        await store.aclose()
    assert seen == {(1, 1), (2, 0), (2, 1)}


async def test_a_correction_cut_at_any_byte_of_the_log_happened_or_did_not(tmp_path: Path) -> None:
    store = open_sqlite(tmp_path)
    _, wrong = await go_wrong(store)
    await store.replace_records([link.sealed for link in LINKS[2:5]], LINKS[4].closed)
    await store.append_own(events(ME, 5, 1)[0])
    files = {name: (tmp_path / name).read_bytes() for name in ("events.sqlite", "events.sqlite-wal")}
    await store.aclose()
    wal = files["events.sqlite-wal"]
    seen = []
    for cut in range(len(wal) - 30_000, len(wal), 999):
        copy = tmp_path / str(cut)
        copy.mkdir()
        (copy / "events.sqlite").write_bytes(files["events.sqlite"])
        (copy / "events.sqlite-wal").write_bytes(wal[:cut])
        store = open_sqlite(copy)
        assert await store.read_opening() == (LINKS[4].closed if store.epoch == 5 else wrong)
        seen.append((store.epoch, [len(await store.read_events(number, 0, 9)) for number in (3, 4)]))
        await store.aclose()
    assert seen == sorted(seen)
    assert {(4, (2, 2)), (5, (0, 0))} == {(number, tuple(counts)) for number, counts in seen}


async def test_beginnings_of_epochs_are_synced(tmp_path: Path) -> None:
    store = open_sqlite(tmp_path)
    levels: list[str] = []
    store._database.set_trace_callback(lambda line: levels.append(line) if "synchronous" in line else None)
    await store.append(events(OTHER, 1, 1))
    await begin(store, LINKS[0])
    await store.write_seals(LINKS[0].sealed)
    await store.replace_records([LINKS[0].sealed], LINKS[0].closed)
    assert levels == [f"PRAGMA synchronous={level}" for level in ("NORMAL", "FULL", "NORMAL", "FULL")]
    await store.aclose()


async def read_opening(directory: Path) -> ClosedEpoch | None:
    store = open_sqlite(directory)
    try:
        return await store.read_opening()
    finally:
        await store.aclose()


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        ("UPDATE records SET record = x'00' WHERE number = 3", "epoch record"),
        (
            "UPDATE records SET record = (SELECT record FROM records WHERE number = 2) WHERE number = 3",
            "in the place of",
        ),
        ("UPDATE turns SET snapshot = x'00' WHERE number = 3", "not the one that its record names"),
        ("UPDATE turns SET groups = x'81f6' WHERE number = 3", "transactions that were cut off"),
        ("DELETE FROM records WHERE number = 2", "gaps"),
        ("DELETE FROM records WHERE number = 3", "gaps"),
        ("UPDATE turns SET number = 30 WHERE number = 3", "gaps"),
    ],
)
async def test_a_damaged_chain_is_one_line_with_a_remedy(tmp_path: Path, damage: str, reason: str) -> None:
    store = open_sqlite(tmp_path)
    for link in LINKS[:3]:
        await begin(store, link)
    await store.aclose()
    database = sqlite3.connect(tmp_path / "events.sqlite")
    with database:
        database.execute(damage)
    database.close()
    with pytest.raises(StoreError) as error:
        await read_opening(tmp_path)
    text = str(error.value)
    assert text.isprintable()
    assert str(tmp_path) in text
    assert reason in text
    assert "; move the file away and start again" in text


async def test_pruning_goes_in_small_steps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Own events can be stored between them."""
    monkeypatch.setattr("node.store.sqlite._PRUNED_AT_A_TIME", 10)
    store = open_sqlite(tmp_path)
    await begin(store, LINKS[0])
    await store.append(events(OTHER, 1, 35))
    await begin(store, LINKS[1])
    steps: list[str] = []
    store._database.set_trace_callback(lambda line: steps.append(line) if line.startswith("COMMIT") else None)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(store.prune, 1)
        for event in events(ME, 2, 3):
            await store.append_own(event)
    assert len(steps) == 4 + 3
    assert await store.read_events(1, 0, 99) == []
    assert await store.read_events(store.epoch, 0, 9) == raws(events(ME, 2, 3))
    await store.aclose()
