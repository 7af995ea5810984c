"""Child processes that verify signatures while the event loop orders (`node.member.signature_child`)."""

import os
import subprocess
from collections.abc import Sequence

import structlog
import trio

from consensus.event import Event
from node.member.signature_child import GOOD
from node.system.child_process import exit_text, kill_and_reap
from node.system.imports import python_command
from node.system.supervision import describe

_COMMAND = python_command("node.member.signature_child")
_TIMEOUT_S = 10.0  # for an answer; an event takes a tenth of a millisecond

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
                    return await self._ask(_request(events)) == GOOD
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
    """Return the request that asks for these events' signatures."""
    parts: list[bytes] = []
    for event in events:
        signed = event.signed
        parts += event.creator, event.signature, len(signed).to_bytes(2), signed
    body = b"".join(parts)
    return len(body).to_bytes(4) + body
