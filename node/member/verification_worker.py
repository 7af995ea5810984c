"""Child processes that verify signatures while the event loop orders.

A request is the length of what follows (4 bytes), then for each event its creator, its signature, the length of the
signed bytes (2 bytes), and those. The answer is one byte: whether all signatures are right. The end of stdin ends the
child, however its parent came to its end.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from typing import BinaryIO

import structlog
import trio

from consensus import keys
from consensus.event import Event
from consensus.keys import ID_BYTES, SIGNATURE_BYTES, MemberId
from node.system.child_process import exit_text, kill_and_reap
from node.system.imports import python_command
from node.system.supervision import describe

_COMMAND = python_command("node.member.verification_worker")
_TIMEOUT_S = 10.0  # for an answer; an event takes a tenth of a millisecond
_GOOD, _BAD = b"\1", b"\0"
_HEAD_BYTES = ID_BYTES + SIGNATURE_BYTES + 2  # of an event, before the signed bytes

_log = structlog.get_logger(__name__)


class SignatureWorker:
    """One child process, started when it is first needed, and again after it was lost."""

    def __init__(self) -> None:
        self._child: trio.Process | None = None
        self._lock = trio.Lock()

    async def verify(self, events: Sequence[Event]) -> bool:
        """Return whether all signatures are right. If the child fails, a thread verifies them instead."""
        async with self._lock:
            try:
                with trio.fail_after(_TIMEOUT_S):
                    return await self._ask(_request(events)) == _GOOD
            except AssertionError:
                raise
            except Exception as error:  # whatever became of it; the check does not depend on it
                _log.warning("lost a child process that verifies signatures", reason=describe(error))
            except trio.Cancelled:  # its answer would be taken for one to the next request
                await self.aclose()
                raise
            await self.aclose()
        return await trio.to_thread.run_sync(all_signed, events)

    async def _ask(self, request: bytes) -> bytes:
        if self._child is None:
            self._child = await trio.lowlevel.open_process(
                _COMMAND, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=os.sep
            )
        assert self._child.stdin is not None
        assert self._child.stdout is not None
        await self._child.stdin.send_all(request)
        answer = await self._child.stdout.receive_some(1)
        if not answer:
            raise EOFError(exit_text(await self._child.wait()))
        return bytes(answer)

    async def aclose(self) -> None:
        """End the child, if there is one."""
        child, self._child = self._child, None
        if child is not None:
            await kill_and_reap(child)


def all_signed(events: Sequence[Event]) -> bool:
    """Return whether all signatures are right."""
    return all(event.verify() for event in events)


def _request(events: Sequence[Event]) -> bytes:
    parts: list[bytes] = []
    for event in events:
        signed = event.signed
        parts += event.creator, event.signature, len(signed).to_bytes(2), signed
    body = b"".join(parts)
    return len(body).to_bytes(4) + body


def _parts(body: bytes) -> Iterator[tuple[MemberId, bytes, bytes]]:
    at = 0
    while at < len(body):
        start = at + _HEAD_BYTES
        end = start + int.from_bytes(body[start - 2 : start])
        yield body[at : at + ID_BYTES], body[start:end], body[at + ID_BYTES : start - 2]
        at = end


def serve(requests: BinaryIO, answers: BinaryIO) -> None:
    """Answer requests, in the child, until there are no more."""
    while head := requests.read(4):
        body = requests.read(int.from_bytes(head))
        good = all(keys.verify(creator, signed, signature) for creator, signed, signature in _parts(body))
        answers.write(_GOOD if good else _BAD)
        answers.flush()


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # it comes from the terminal; the parent decides
    serve(sys.stdin.buffer, sys.stdout.buffer)
