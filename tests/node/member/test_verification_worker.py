"""Signatures are verified in a child process, and in a thread when that fails."""

import os
import signal
import subprocess
import sys
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
async def worker() -> AsyncIterator[SignatureWorker]:
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


def pid(worker: SignatureWorker) -> int:
    assert worker._child is not None
    return worker._child.pid


async def test_good_signatures_are_told_from_bad_ones_wherever_they_are(worker: SignatureWorker) -> None:
    assert await worker.verify(EVENTS)
    child = pid(worker)
    for bad in FORGED:
        for place in (0, 20, 40):
            assert not await worker.verify([*EVENTS[:place], bad, *EVENTS[place:]])
    assert await worker.verify(EVENTS[:1])
    assert pid(worker) == child


async def test_a_child_that_was_killed_is_replaced(worker: SignatureWorker) -> None:
    assert await worker.verify(EVENTS)
    first = pid(worker)
    os.kill(first, signal.SIGKILL)
    with capture_logs() as logs:
        assert await worker.verify(EVENTS)
        assert not await worker.verify(FORGED)
    assert [entry["event"] for entry in logs] == ["lost a child process that verifies signatures"]
    assert pid(worker) != first


async def test_a_child_that_does_not_answer_is_replaced(
    worker: SignatureWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert await worker.verify(EVENTS)
    os.kill(pid(worker), signal.SIGSTOP)
    monkeypatch.setattr(verification_worker, "_TIMEOUT_S", 0.1)
    with capture_logs() as logs:
        assert not await worker.verify([*EVENTS, *FORGED])
    assert len(logs) == 1
    monkeypatch.undo()
    assert await worker.verify(EVENTS)


async def test_a_child_that_cannot_be_started_is_done_without(
    worker: SignatureWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verification_worker, "_COMMAND", ("/nowhere/python",))
    with capture_logs() as logs:
        assert await worker.verify(EVENTS)
        assert not await worker.verify(FORGED)
    assert len(logs) == 2


async def test_an_answer_that_nobody_waited_for_is_nobody_elses(worker: SignatureWorker) -> None:
    assert await worker.verify(EVENTS)
    with trio.CancelScope() as scope:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(worker.verify, EVENTS * 20)
            await trio.sleep(0.01)
            scope.cancel()
    assert not await worker.verify(FORGED)
    assert await worker.verify(EVENTS)


async def test_the_child_ends_with_its_parent(worker: SignatureWorker) -> None:
    """However that ends, the kernel closes the pipe."""
    assert await worker.verify(EVENTS)
    child = worker._child
    assert child is not None
    assert child.stdin is not None
    await child.stdin.aclose()
    with trio.fail_after(20):
        assert await child.wait() == 0


def test_the_child_loads_what_it_needs_for_signatures_alone() -> None:
    """It starts in a fifth of the time, and needs half the memory."""
    code = "import sys, node.member.signature_child; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert "consensus.keys" in loaded
    assert not {"trio", "structlog", "numpy", "cbor2", "ssl", "asyncio", "consensus.event"} & loaded
