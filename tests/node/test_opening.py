"""Received bytes become events only if everything about them is right."""

import os
import threading

import pytest
import trio

from consensus.encoding import decode, encode
from consensus.event import EventError, make_event
from node.identity import Identity
from node.opening import Opener, SharedOpener, ThreadOpener

EPOCH = bytes(32)
ME = Identity(b"m" * 32)


@pytest.fixture(params=[ThreadOpener, SharedOpener])
def opener(request: pytest.FixtureRequest) -> Opener:
    made: Opener = request.param()
    return made


def raw(seq: int, epoch: bytes = EPOCH) -> bytes:
    parent = None if seq == 0 else bytes(31) + bytes([seq])
    return make_event(ME.key, epoch=epoch, seq=seq, self_parent=parent, time=seq).raw


def with_bad_signature(event: bytes) -> bytes:
    header, signature, payload = decode(event, limit=9999)  # type: ignore[misc]
    assert isinstance(signature, bytes)
    return encode([header, signature[:-1] + bytes([signature[-1] ^ 1]), payload])


def nothing(digest: bytes) -> bool:
    return False


@pytest.mark.parametrize("count", [0, 1, 4, 5, 64, 65, 150])
async def test_good_events_are_opened_in_order(opener: Opener, count: int) -> None:
    raws = [raw(seq) for seq in range(count)]
    for _ in range(2):
        assert [event.raw for event in await opener.open(raws, EPOCH, nothing)] == raws


async def test_known_events_are_left_out(opener: Opener) -> None:
    events = await opener.open([raw(seq) for seq in range(9)], EPOCH, nothing)
    known = {events[2].hash, events[5].hash}
    opened = await opener.open([event.raw for event in events], EPOCH, known.__contains__)
    assert [event.seq for event in opened] == [0, 1, 3, 4, 6, 7, 8]


@pytest.mark.parametrize("position", [0, 3, 70])
@pytest.mark.parametrize("bad", [
    b"", b"\xff", raw(5)[:-1], raw(5) + b"\0", raw(5, b"e" * 32), with_bad_signature(raw(5)), bytes(64),
])
async def test_one_bad_event_spoils_the_message(opener: Opener, bad: bytes, position: int) -> None:
    raws = [raw(seq) for seq in range(80)]
    for _ in range(2):
        with pytest.raises(EventError):
            await opener.open([*raws[:position], bad, *raws[position:]], EPOCH, nothing)


async def test_a_message_is_checked_by_several_threads_and_all_messages_share_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Two checks meet, so they run at the same time; there are never more than the cores allow."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1})
    both = threading.Barrier(2, timeout=30)
    running, most, lock = 0, 0, threading.Lock()

    def known(digest: bytes) -> bool:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        if digest in first:
            both.wait()
        with lock:
            running -= 1
        return False

    opener = ThreadOpener()
    raws = [raw(seq) for seq in range(100)]
    opened = await SharedOpener().open(raws, EPOCH, nothing)
    first = {opened[0].hash, opened[50].hash}
    async with trio.open_nursery() as nursery:
        nursery.start_soon(opener.open, raws, EPOCH, known)
        nursery.start_soon(opener.open, raws[10:40], EPOCH, nothing)
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
        await ThreadOpener().open(raws, EPOCH, known)
    assert len(looked) <= 64
