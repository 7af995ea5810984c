"""Catching up in virtual time: a node that is new, was away, or is interrupted comes to the newest sealed epoch.

Records, seals, stores and blobs are real; ledgers are nothing but text.
"""

import random

import pytest
import trio
from trio.testing import MockClock

from node.blobs.messages import BLOB_PATH
from node.statesync.serving import CHAIN_PATH
from node.store.memory import MemoryDisk, MemoryStore
from tests.node.statesync.world import HEAD, LINKS, TEACHERS, World, fill


async def test_a_new_node_comes_to_the_newest_sealed_epoch(world: World, autojump_clock: MockClock) -> None:
    for teacher in TEACHERS:
        await world.teach(teacher)
    catchup, target = world.pupil()
    assert await catchup.jump()
    assert target.entered == [HEAD]
    await world.assert_arrived()
    assert target.jumps == [[HEAD]], "once, after it was entered"
    assert not await catchup.jump(), "there is nothing newer"
    assert len(target.jumps) == 1
    assert {peer.error for peer in world.peers.values()} == {""}
    assert len({teacher for teacher, path in world.asked if path == BLOB_PATH}) > 1


@pytest.mark.parametrize("sealed", [True, False])
async def test_a_node_that_was_away_goes_on_from_its_own_record(
    world: World, autojump_clock: MockClock, sealed: bool
) -> None:
    await fill(MemoryStore(world.disk), LINKS[:120], sealed=sealed)
    await world.teach(TEACHERS[0])
    catchup, target = world.pupil()
    assert await catchup.jump()
    assert target.entered == [HEAD]
    await world.assert_arrived()
    assert len([path for _, path in world.asked if path == CHAIN_PATH]) == 2, "30 records, and that there are no more"


async def test_a_node_waits_until_it_is_stranded(world: World, autojump_clock: MockClock) -> None:
    await world.teach(TEACHERS[0])
    catchup, target = world.pupil()
    stranded_at = trio.current_time() + 30
    with trio.move_on_after(60):
        await catchup.run(lambda: trio.current_time() > stranded_at and not target.entered)
    assert target.entered == [HEAD]
    assert not world.disk.unsynced_links
    world.asked.clear()
    with trio.move_on_after(60):
        await catchup.run(lambda: False)
    assert not world.asked


async def test_teachers_of_different_age_are_all_heard(world: World, autojump_clock: MockClock) -> None:
    for age, teacher in zip((150, 3, 0, 70), TEACHERS, strict=True):
        await world.teach(teacher, known=LINKS[:age])
    for seed in range(5):
        world.disk = MemoryDisk()
        catchup, target = world.pupil(seed)
        assert await catchup.jump()
        assert target.entered == [HEAD]
    assert {peer.error for peer in world.peers.values()} == {""}


# Interruption.


async def test_whenever_it_is_interrupted_it_goes_on_from_there(world: World, autojump_clock: MockClock) -> None:
    """The machine crashes at ever later moments, until the whole of it fits in between."""
    for teacher in TEACHERS[:2]:
        await world.teach(teacher)
    chance, lengths = random.Random(5), []
    whole = 0.0
    for attempt in range(200):
        world.asked.clear()
        catchup, target = world.pupil(attempt)
        begun = trio.current_time()
        with trio.move_on_after(0.01 * attempt):
            assert await catchup.jump()
        world.disk.crash(chance)
        store = MemoryStore(world.disk)
        lengths.append(store.newest_record)
        chain = await store.read_sealed_records(1, 999)
        assert chain == [one.sealed for one in LINKS[: len(chain)]]
        assert store.epoch in (0, HEAD)
        if store.epoch:
            whole = trio.current_time() - begun
            break
        assert not target.entered or attempt
    await world.assert_arrived()
    assert len(set(lengths)) > 3
    assert whole < 1.0


async def test_pieces_of_a_snapshot_that_came_before_an_interruption_are_not_fetched_again(
    world: World, autojump_clock: MockClock
) -> None:
    await world.teach(TEACHERS[0])
    digest = LINKS[HEAD - 1].record.snapshot
    for _ in range(100):
        catchup, _ = world.pupil()
        with trio.move_on_after(0.21):
            await catchup.jump()
        if await world.blobs.pieces(digest):
            break
    assert await world.blobs.pieces(digest)
    world.asked.clear()
    catchup, target = world.pupil()
    assert await catchup.jump()
    assert target.entered == [HEAD]
    assert len([path for _, path in world.asked if path == BLOB_PATH]) == 2, "the size, and the other piece"
    assert world.blobs.size(digest) is None, "it is in the store"
