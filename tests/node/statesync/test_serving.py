"""What a teacher answers and offers, within bounds, and what it deletes."""

import contextlib
from collections.abc import Sequence

import pytest
import trio
from trio.testing import MockClock

from consensus.encoding import encode
from consensus.epoch import Opening
from consensus.outcome import ClosedEpoch
from node.blobs import PIECE_BYTES
from node.blobs.memory import MemoryBlobs
from node.blobs.messages import BlobRequest, decode_answer
from node.blobs.serving import blob_route
from node.statesync.messages import ChainRequest, decode_chain_answer
from node.statesync.pruning import prune_epochs
from node.statesync.serving import chain_route
from node.store.memory import MemoryDisk, MemoryStore
from node.transport.router import Refusal
from tests.node.statesync.chains import Link, next_record
from tests.node.statesync.world import GENESIS, LINKS, ME, fill


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\x00",
        encode({"first": 0}),
        encode({"first": -1}),
        encode({"first": True}),
        encode({"first": 2**63}),
        encode({"first": 1, "count": 2}),
    ],
)
async def test_a_wrong_question_is_refused(body: bytes) -> None:
    with pytest.raises(Refusal) as refusal:
        await chain_route(MemoryStore(MemoryDisk())).handler(ME.id, body)
    assert refusal.value.status == 400


async def test_an_answer_is_bounded_in_bytes_and_has_one_record_at_least(monkeypatch: pytest.MonkeyPatch) -> None:
    store = MemoryStore(MemoryDisk())
    await fill(store, LINKS[:9])
    size = len(LINKS[0].sealed.raw)
    for limit, expected in ((10, 1), (size + 10, 1), (3 * size + 10, 3), (10**6, 8)):
        monkeypatch.setattr("node.statesync.serving.MAX_RECORDS_BYTES", limit)
        answer = decode_chain_answer(await chain_route(store).handler(ME.id, ChainRequest(1).encode()))
        assert (answer.opened, len(answer.records)) == (LINKS[8].record, expected)
    assert [one.record.number for one in answer.records] == list(range(1, 9))


async def offered(store: MemoryStore, blobs: MemoryBlobs, links: Sequence[Link]) -> list[int]:
    """Return the epochs whose snapshots are served, whole."""
    found, answer = [], blob_route(blobs, store).handler
    for number, link in enumerate(links, 1):
        request = BlobRequest(link.record.snapshot, 5, PIECE_BYTES)
        with contextlib.suppress(Refusal):
            size, data = decode_answer(await answer(ME.id, request.encode()), request)
            assert (size, data) == (len(link.snapshot), link.snapshot[5 : 5 + PIECE_BYTES])
            found.append(number)
    return found


async def test_snapshots_are_offered_from_the_store_while_somebody_may_need_them() -> None:
    store, blobs = MemoryStore(MemoryDisk()), MemoryBlobs()
    for number in range(1, 6):
        await fill(store, LINKS[:number])
        assert await offered(store, blobs, LINKS[:8]) == [n for n in (number - 1, number) if n > 0]
    assert all(blobs.size(link.record.snapshot) is None for link in LINKS[:8]), "a second copy"


async def test_a_copy_from_an_earlier_version_is_served_too() -> None:
    store, blobs = MemoryStore(MemoryDisk()), MemoryBlobs()
    await fill(store, LINKS[:5])
    await blobs.add(LINKS[0].snapshot)
    assert await offered(store, blobs, LINKS[:8]) == [1, 4, 5]


async def test_a_corrected_snapshot_takes_the_place_of_the_wrong_one() -> None:
    store = MemoryStore(MemoryDisk())
    wrong = next_record(GENESIS, Opening.of_record(LINKS[3].record), b"wrong")
    await fill(store, LINKS[:4])
    await store.begin_epoch(ClosedEpoch(wrong, b"wrong", ()))
    answer = blob_route(MemoryBlobs(), store).handler
    request = BlobRequest(wrong.snapshot, 0, 9)
    assert decode_answer(await answer(ME.id, request.encode()), request).data == b"wrong"
    await store.replace_records([LINKS[4].sealed], LINKS[4].closed)
    assert await offered(store, MemoryBlobs(), LINKS[:8]) == [4, 5]


async def test_a_damaged_snapshot_is_not_served(capsys: pytest.CaptureFixture[str]) -> None:
    disk = MemoryDisk()
    await fill(MemoryStore(disk), LINKS[:3])
    disk.openings[3] = b"other bytes", disk.openings[3][1]
    assert await offered(MemoryStore(disk), MemoryBlobs(), LINKS[:3]) == [2]
    assert "damaged snapshot not served" in capsys.readouterr().out


async def test_of_an_epoch_that_was_jumped_over_there_is_no_snapshot(capsys: pytest.CaptureFixture[str]) -> None:
    store = MemoryStore(MemoryDisk())
    await store.append_records([link.sealed for link in LINKS[:3]])
    await store.begin_epoch(LINKS[2].closed)
    assert await offered(store, MemoryBlobs(), LINKS[:3]) == [3]
    assert capsys.readouterr().out == ""


async def test_after_every_turn_old_epochs_are_forgotten(autojump_clock: MockClock, nursery: trio.Nursery) -> None:
    store = MemoryStore(MemoryDisk())
    nursery.start_soon(prune_epochs, store, 3)
    for number in range(1, 8):
        await store.begin_epoch(LINKS[number - 1].closed)
        await trio.sleep(2)
        kept = [n for n in range(1, 9) if await store.read_snapshot(n) is not None]
        assert kept == list(range(max(1, number - 2), number + 1))
    nursery.cancel_scope.cancel()


async def test_all_epochs_are_kept_unless_somebody_wants_fewer(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    store = MemoryStore(MemoryDisk())
    nursery.start_soon(prune_epochs, store, None)
    await fill(store, LINKS[:8])
    await trio.sleep(5)
    assert [n for n in range(1, 9) if await store.read_snapshot(n) is not None] == list(range(1, 9))
    nursery.cancel_scope.cancel()
