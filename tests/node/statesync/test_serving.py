"""What a teacher answers and offers, within bounds, and what it deletes."""

import pytest
import trio
from trio.testing import MockClock

from consensus.encoding import encode
from node.blobs import BlobError
from node.blobs.memory import MemoryBlobs
from node.statesync.messages import ChainRequest, decode_chain_answer
from node.statesync.pruning import offer_and_prune
from node.statesync.serving import chain_route, offer_snapshots
from node.store.memory import MemoryDisk, MemoryStore
from node.transport.router import Refusal
from tests.node.statesync.world import LINKS, ME, fill


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


async def test_snapshots_are_offered_while_somebody_may_need_them() -> None:
    store, blobs = MemoryStore(MemoryDisk()), MemoryBlobs()
    for number in range(1, 6):
        await fill(store, LINKS[:number])
        await offer_snapshots(store, blobs)
        offered = [n for n in range(1, 9) if blobs.size(LINKS[n - 1].record.snapshot) is not None]
        assert offered == [n for n in (number - 1, number) if n > 0]


async def test_after_every_turn_snapshots_are_offered_and_old_epochs_forgotten(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    store, blobs = MemoryStore(MemoryDisk()), MemoryBlobs()
    nursery.start_soon(offer_and_prune, store, blobs, 3)
    for number in range(1, 8):
        await store.begin_epoch(LINKS[number - 1].closed)
        await trio.sleep(2)
        assert blobs.size(LINKS[number - 1].record.snapshot) is not None
        kept = [n for n in range(1, 9) if await store.read_snapshot(n) is not None]
        assert kept == list(range(max(1, number - 2), number + 1))
    nursery.cancel_scope.cancel()


class FullBlobs(MemoryBlobs):
    """No room for anything."""

    async def add(self, data: bytes) -> bytes:
        raise BlobError("the disk is full")


async def test_a_snapshot_that_finds_no_room_stops_nothing(
    autojump_clock: MockClock, nursery: trio.Nursery, capsys: pytest.CaptureFixture[str]
) -> None:
    store = MemoryStore(MemoryDisk())
    await fill(store, LINKS[:4])
    nursery.start_soon(offer_and_prune, store, FullBlobs(), 2)
    await trio.sleep(5)
    assert await store.read_snapshot(2) is None
    assert await store.read_snapshot(3) is not None
    assert capsys.readouterr().out.count("the disk is full") == 1
    nursery.cancel_scope.cancel()
