"""Signatures are checked in a child process, and are checked all the same when that fails."""

import os
import signal
from collections.abc import AsyncIterator

import pytest
import trio
from structlog.testing import capture_logs

from consensus.encoding import encode
from consensus.event import Event, decode_event, make_event
from node.config.identity import Identity
from node.member import verification_worker
from node.member.verification_worker import SignatureWorker

EPOCH = bytes(32)
KEYS = [Identity(bytes([number]) * 32).key for number in range(3)]


@pytest.fixture
async def checker() -> AsyncIterator[SignatureWorker]:
    made = SignatureWorker()
    yield made
    await made.aclose()


def event(seq: int, note: str = "") -> Event:
    return make_event(
        KEYS[seq % 3],
        epoch=EPOCH,
        seq=seq,
        self_parent=b"p" * 32 if seq else None,
        time=seq,
        transactions=({"type": "note", "id": seq, "text": note},) if note else (),
    )


EVENTS = [event(seq, "x" * seq) for seq in range(40)]
SWAPPED = encode([EVENTS[4].header, EVENTS[7].signature, EVENTS[4].payload])
FORGED = [
    decode_event(encode([EVENTS[4].header, bytes(64), EVENTS[4].payload]), EPOCH),
    decode_event(SWAPPED, EPOCH),
]


def pid(checker: SignatureWorker) -> int:
    assert checker._child is not None
    return checker._child.pid


async def test_good_signatures_are_told_from_bad_ones_wherever_they_are(checker: SignatureWorker) -> None:
    assert await checker.check(EVENTS)
    child = pid(checker)
    for bad in FORGED:
        for place in (0, 20, 40):
            assert not await checker.check([*EVENTS[:place], bad, *EVENTS[place:]])
    assert await checker.check(EVENTS[:1])
    assert pid(checker) == child


async def test_a_child_that_was_killed_is_replaced(checker: SignatureWorker) -> None:
    assert await checker.check(EVENTS)
    first = pid(checker)
    os.kill(first, signal.SIGKILL)
    with capture_logs() as logs:
        assert await checker.check(EVENTS)
        assert not await checker.check(FORGED)
    assert [entry["event"] for entry in logs] == ["a child process that checks signatures was lost"]
    assert pid(checker) != first


async def test_a_child_that_does_not_answer_is_replaced(
    checker: SignatureWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert await checker.check(EVENTS)
    os.kill(pid(checker), signal.SIGSTOP)
    monkeypatch.setattr(verification_worker, "_PATIENCE", 0.1)
    with capture_logs() as logs:
        assert not await checker.check([*EVENTS, *FORGED])
    assert len(logs) == 1
    monkeypatch.undo()
    assert await checker.check(EVENTS)


async def test_a_child_that_cannot_be_started_is_done_without(
    checker: SignatureWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verification_worker, "_COMMAND", ("/nowhere/python",))
    with capture_logs() as logs:
        assert await checker.check(EVENTS)
        assert not await checker.check(FORGED)
    assert len(logs) == 2


async def test_an_answer_that_nobody_waited_for_is_nobody_elses(checker: SignatureWorker) -> None:
    assert await checker.check(EVENTS)
    with trio.CancelScope() as scope:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(checker.check, EVENTS * 20)
            await trio.sleep(0.01)
            scope.cancel()
    assert not await checker.check(FORGED)
    assert await checker.check(EVENTS)


async def test_the_child_ends_with_its_parent(checker: SignatureWorker) -> None:
    """However that ends, the kernel closes the pipe."""
    assert await checker.check(EVENTS)
    child = checker._child
    assert child is not None
    assert child.stdin is not None
    await child.stdin.aclose()
    with trio.fail_after(20):
        assert await child.wait() == 0
