"""Own records that are not the sealed ones: noticed, and replaced completely or not at all."""

import random
from dataclasses import replace
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from consensus.epoch import Opening
from consensus.outcome import ClosedEpoch
from node.store import StoreError
from node.store.memory import MemoryDisk, MemoryStore
from tests.node.statesync.chains import Link, next_record, sealed_by, seals_of_another_record
from tests.node.statesync.world import GENESIS, HEAD, LINKS, ME, TEACHERS, World, fill


def bent(link: Link, **changes: Any) -> Link:
    """The record that a node with a wrong ledger made at the same close."""
    record = replace(link.record, **{"ledger": b"\7" * 32, **changes})
    return Link(sealed_by(record, [ME]), link.snapshot)


async def fill_wrongly(disk: MemoryDisk, number: int, **changes: Any) -> Link:
    """A store in epoch `number`, whose record of that epoch is wrong."""
    store, wrong = MemoryStore(disk), bent(LINKS[number - 1], **changes)
    await fill(store, LINKS[: number - 1], sealed=True)
    await store.begin_epoch(wrong.closed)
    return wrong


@pytest.mark.parametrize(("number", "known"), [(1, 3), (5, 6), (5, 9), (5, 150), (150, 150)])
async def test_a_wrong_own_record_is_noticed_and_replaced(
    world: World, autojump_clock: MockClock, number: int, known: int
) -> None:
    wrong = await fill_wrongly(world.disk, number)
    await world.blobs.add(b"its snapshot" if number == 5 else wrong.snapshot)
    for teacher in TEACHERS[:2]:
        await world.teach(teacher, known=LINKS[:known])
    if number == known:
        await world.teach(TEACHERS[2], sealed=True)
    catchup, target = world.pupil()
    assert await catchup.jump()
    assert target.entered == [known - (number < known)]
    assert target.mistakes == [(wrong.record, LINKS[number - 1].record)]
    await world.assert_arrived(known - (number < known))
    assert await MemoryStore(world.disk).read_events(MemoryStore(world.disk).epoch, 0, 9) == []
    assert {peer.error for peer in world.peers.values()} == {""}
    assert not await catchup.jump()


async def test_several_wrong_records_in_a_row_are_replaced(world: World, autojump_clock: MockClock) -> None:
    """Whatever the cause, such as a bad restore. The node is ahead of the sealed chain."""
    first = bent(LINKS[4])
    second = next_record(GENESIS, Opening.of_record(first.record), b"second")
    store = MemoryStore(world.disk)
    await fill(store, LINKS[:4], sealed=True)
    await store.begin_epoch(first.closed)
    await store.begin_epoch(ClosedEpoch(second, b"second", ()))
    await world.teach(TEACHERS[0], known=LINKS[:6])
    catchup, target = world.pupil()
    assert await catchup.jump()
    assert target.entered == [5]
    await world.assert_arrived(5)
    assert MemoryStore(world.disk).newest_record == 5


async def test_a_record_that_the_disk_has_spoiled_is_replaced(world: World, autojump_clock: MockClock) -> None:
    """Another record is in its place, with the seals of the right one."""
    await fill(MemoryStore(world.disk), LINKS[:5], sealed=True)
    link = world.disk.chain[5]
    world.disk.chain[5] = replace(link, record=bent(LINKS[4]).record.raw)
    await world.teach(TEACHERS[0], known=LINKS[:6])
    catchup, _ = world.pupil()
    assert await catchup.jump()
    await world.assert_arrived(5)


async def test_spoiled_seals_are_fetched_again(world: World, autojump_clock: MockClock) -> None:
    """Seals that no longer verify are our own damage: peers whose records do not follow are not blamed."""
    await fill(MemoryStore(world.disk), LINKS[:5], sealed=True)
    link = world.disk.chain[5]
    world.disk.chain[5] = replace(link, sealed=seals_of_another_record([LINKS[4].sealed])[0].raw)
    await world.teach(TEACHERS[0])
    catchup, target = world.pupil()
    assert await catchup.jump()
    assert target.entered == [HEAD]
    assert world.peers[TEACHERS[0].id].error == ""


async def test_whenever_a_correction_is_interrupted_the_store_has_the_old_chain_or_the_new_one(
    world: World, autojump_clock: MockClock
) -> None:
    for teacher in TEACHERS[:2]:
        await world.teach(teacher, known=LINKS[:9])
    chance, seen = random.Random(8), set()
    for attempt in range(120):
        world.disk = MemoryDisk(sync_seconds=0.05)
        wrong = await fill_wrongly(world.disk, 5)
        own = [link.record.raw for link in (*LINKS[:4], wrong)]
        catchup, target = world.pupil(attempt)
        with trio.move_on_after(0.01 * attempt):
            await catchup.jump()
        world.disk.crash(chance)
        store = MemoryStore(world.disk)
        seen.add(store.epoch)
        if store.epoch == 5:
            assert [world.disk.chain[number].record for number in range(1, store.newest_record + 1)] == own
            assert await store.read_opening() == wrong.closed
            assert not target.entered
        else:
            await world.assert_arrived(8)
    assert seen == {5, 8}


@pytest.mark.parametrize("trouble", ["full", "unsyncable"])
async def test_a_correction_that_the_disk_refuses_ends_the_node(
    world: World, autojump_clock: MockClock, trouble: str
) -> None:
    wrong = await fill_wrongly(world.disk, 5)
    await world.teach(TEACHERS[0], known=LINKS[:9])
    catchup, _ = world.pupil()
    setattr(world.disk, trouble, True)
    with pytest.RaisesGroup(pytest.RaisesExc(StoreError), flatten_subgroups=True, allow_unwrapped=True):
        await catchup.jump()
    world.disk.writing = None
    assert MemoryStore(world.disk).epoch == 5
    assert await MemoryStore(world.disk).read_opening() == wrong.closed
