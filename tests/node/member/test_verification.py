"""Received bytes become events only if everything about them is right."""

import os
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

import pytest
import trio
import trio.testing

from consensus.encoding import decode, encode
from consensus.event import Event, EventError, make_event
from node.config.identity import Identity
from node.member import verification
from node.member.verification import CachingVerifier, EventVerifier, ParallelVerifier

EPOCH = bytes(32)
ME = Identity(b"m" * 32)


@pytest.fixture
async def cores() -> AsyncIterator[ParallelVerifier]:
    made = ParallelVerifier()
    yield made
    await made.aclose()


@pytest.fixture(params=["cores", "shared"])
def verifier(request: pytest.FixtureRequest, cores: ParallelVerifier) -> EventVerifier:
    return cores if request.param == "cores" else CachingVerifier()


async def verified(
    verifier: EventVerifier, raws: Sequence[bytes], epoch: bytes, known: Callable[[bytes], bool]
) -> list[Event]:
    """All that is inserted, if all is well."""
    inserted: list[Event] = []

    async def insert(events: Sequence[Event]) -> None:
        await trio.lowlevel.checkpoint()
        inserted.extend(events)

    assert await verifier.verify(raws, epoch, known, insert) == len(inserted)
    return inserted


def raw(seq: int, epoch: bytes = EPOCH) -> bytes:
    parent = None if seq == 0 else seq.to_bytes(32)
    return make_event(ME.key, epoch=epoch, seq=seq, self_parent=parent, time=seq).raw


def with_bad_signature(event: bytes) -> bytes:
    parts: Any = decode(event, limit=9999)
    header, signature, payload = parts
    return encode([header, signature[:-1] + bytes([signature[-1] ^ 1]), payload])


def nothing(digest: bytes) -> bool:
    return False


@pytest.mark.parametrize("count", [0, 1, 4, 5, 64, 65, 150, 300])
async def test_good_events_are_verified_in_order(verifier: EventVerifier, count: int) -> None:
    raws = [raw(seq) for seq in range(count)]
    for _ in range(2):
        assert [event.raw for event in await verified(verifier, raws, EPOCH, nothing)] == raws


async def test_known_events_are_left_out(verifier: EventVerifier) -> None:
    events = await verified(verifier, [raw(seq) for seq in range(9)], EPOCH, nothing)
    known = {events[2].hash, events[5].hash}
    new = await verified(verifier, [event.raw for event in events], EPOCH, known.__contains__)
    assert [event.seq for event in new] == [0, 1, 3, 4, 6, 7, 8]


@pytest.mark.parametrize("position", [0, 3, 70])
@pytest.mark.parametrize(
    "bad",
    [
        b"",
        b"\xff",
        raw(5)[:-1],
        raw(5) + b"\0",
        raw(5, b"e" * 32),
        with_bad_signature(raw(5)),
        bytes(64),
    ],
)
async def test_one_bad_event_spoils_the_message(verifier: EventVerifier, bad: bytes, position: int) -> None:
    raws = [raw(seq) for seq in range(80)]
    for _ in range(2):
        with pytest.raises(EventError):
            await verified(verifier, [*raws[:position], bad, *raws[position:]], EPOCH, nothing)


async def test_a_message_is_checked_by_several_threads_and_all_messages_share_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Two checks meet, so they run at the same time; there are never more than the cores allow."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1})
    both = threading.Barrier(2, timeout=30)
    running, most, lock = 0, 0, threading.Lock()

    def check(events: Sequence[Event]) -> bool:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        if events[0].seq in (0, 50):
            both.wait()
        with lock:
            running -= 1
        return True

    monkeypatch.setattr(verification, "all_signed", check)
    verifier = ParallelVerifier()
    raws = [raw(seq) for seq in range(100)]
    async with trio.open_nursery() as nursery:
        nursery.start_soon(verified, verifier, raws, EPOCH, nothing)
        nursery.start_soon(verified, verifier, raws[10:40], EPOCH, nothing)
    assert most == 2


async def test_what_follows_a_bad_event_is_not_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0})
    looked: list[bytes] = []
    raws = [raw(seq) for seq in range(250)]
    raws[3] = with_bad_signature(raws[3])

    def known(digest: bytes) -> bool:
        looked.append(digest)
        return False

    with pytest.raises(EventError, match="is not signed by it"):
        await verified(ParallelVerifier(), raws, EPOCH, known)
    assert len(looked) <= 64


async def test_what_comes_first_is_inserted_while_the_rest_is_verified(cores: ParallelVerifier) -> None:
    raws = [raw(seq) for seq in range(600)]
    raws[500] = with_bad_signature(raws[500])
    inserted: list[int] = []

    async def insert(events: Sequence[Event]) -> None:
        await trio.lowlevel.checkpoint()
        inserted.extend(event.seq for event in events)

    with pytest.raises(EventError, match="event 500 of"):
        await cores.verify(raws, EPOCH, nothing, insert)
    assert inserted == list(range(len(inserted)))
    assert len(inserted) <= 500


@pytest.mark.parametrize("count", [3, 100, 300])
async def test_what_inserting_raises_comes_out_by_itself(cores: ParallelVerifier, count: int) -> None:
    async def insert(events: Sequence[Event]) -> None:
        await trio.lowlevel.checkpoint()
        raise KeyError("no room")

    with pytest.raises(KeyError, match="no room"):
        await cores.verify([raw(seq) for seq in range(count)], EPOCH, nothing, insert)


async def test_two_large_messages_at_once(cores: ParallelVerifier) -> None:
    raws = [raw(seq) for seq in range(400)]
    spoilt = [*raws[:390], with_bad_signature(raws[390])]

    async def refused() -> None:
        with pytest.raises(EventError, match="event 390"):
            await verified(cores, spoilt, EPOCH, nothing)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(refused)
        assert [event.raw for event in await verified(cores, raws, EPOCH, nothing)] == raws
    assert [event.raw for event in await verified(cores, raws, EPOCH, nothing)] == raws


async def all_verified(verifier: EventVerifier, messages: Sequence[Sequence[bytes]]) -> list[Event]:
    """All that is inserted of what is read, message by message, if all is well."""
    unread, inserted = iter([*messages, []]), list[Event]()

    async def read() -> Sequence[bytes]:
        await trio.lowlevel.checkpoint()
        return next(unread)

    async def insert(events: Sequence[Event]) -> None:
        await trio.lowlevel.checkpoint()
        inserted.extend(events)

    assert await verifier.verify_all(read, EPOCH, insert) == len(inserted)
    return inserted


@pytest.mark.parametrize("sizes", [[], [3], [3, 70, 1], [300, 300, 5]])
async def test_what_is_read_message_by_message_is_verified_in_order(
    verifier: EventVerifier, sizes: Sequence[int]
) -> None:
    raws = [raw(seq) for seq in range(sum(sizes))]
    messages = [raws[sum(sizes[:place]) : sum(sizes[: place + 1])] for place in range(len(sizes))]
    assert [event.raw for event in await all_verified(verifier, messages)] == raws


@pytest.mark.parametrize("size", [30, 260])
async def test_one_bad_event_in_a_later_message_spoils_what_is_read(verifier: EventVerifier, size: int) -> None:
    raws = [raw(seq) for seq in range(2 * size)]
    with pytest.raises(EventError):
        await all_verified(verifier, [raws[:size], [*raws[size:-1], with_bad_signature(raws[-1])]])


async def test_more_is_read_and_verified_while_the_first_is_inserted_but_not_everything(
    cores: ParallelVerifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verification, "_PARTS_AHEAD", 4)
    messages = [[raw(seq) for seq in range(start, start + 20)] for start in range(0, 600, 20)]
    reads, waiting, go_on = 0, trio.Event(), trio.Event()

    async def read() -> Sequence[bytes]:
        nonlocal reads
        reads += 1
        return messages[reads - 1] if reads <= len(messages) else []

    async def insert(events: Sequence[Event]) -> None:
        waiting.set()
        await go_on.wait()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(cores.verify_all, read, EPOCH, insert)
        await waiting.wait()
        await trio.testing.wait_all_tasks_blocked(0.01)
        assert 3 <= reads < 12
        go_on.set()
    assert reads == len(messages) + 1
