"""Job runners do one job at a time outside the node's own process, so that no fault of a job reaches the node.

`WorkerProcess` keeps a warm child, `python -m training.worker`, and speaks CBOR frames with it over pipes:
starting one costs seconds of imports, so it serves job after job. Whatever goes wrong with the child (killed
for memory, a crash in a library, a broken frame) ends in `WorkError` for the one job that ran; the next job gets a
fresh child. Cancelling `perform` kills the child: a job that nobody waits for must not run on.
"""

import os
import subprocess
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any, Protocol

import cbor2
import trio

from node.system.child_log import ChildLog
from node.system.child_process import exit_text, kill_and_reap
from node.system.imports import python_command
from node.system.supervision import describe
from node.system.tasks import run_unless
from training.frames import FRAME_MAX_BYTES

WORKER = python_command("training.worker", "--nice", "10")
"""The worker is nice, so that a busy machine goes on gossiping."""

_NOTHING: Mapping[str, str] = MappingProxyType({})

Report = Callable[[Mapping[str, Any]], None]


class WorkError(Exception):
    """The job did not end well; the text is one line that says why."""


class JobRunner(Protocol):
    """Does jobs, one at a time."""

    async def perform(self, job: Mapping[str, Any], report: Report) -> Mapping[str, Any]:
        """Do `job` (its key `job` names the kind); call `report` with each progress; return the result.

        Raise `WorkError`.
        """
        ...

    async def aclose(self) -> None:
        """Stop whatever runs."""
        ...


class WorkerProcess:
    """Jobs in a child process that is started when first needed and kept for the next job."""

    def __init__(
        self,
        log: Path,
        command: tuple[str, ...] = WORKER,
        environment: Mapping[str, str] = _NOTHING,
        enough: trio.Event | None = None,
    ) -> None:
        """Prepare to start `command`, with `environment` besides our own, when the first job comes.

        Once `enough` is set, the child is told to end its job with what it has, if it can do that.
        """
        self._enough = enough
        self._command = command
        self._environment = environment
        self._log = ChildLog(log)
        self._child: trio.Process | None = None
        self._jobs = 0

    async def perform(self, job: Mapping[str, Any], report: Report) -> Mapping[str, Any]:
        """See `JobRunner.perform`."""
        self._jobs += 1
        child_is_well = False
        try:
            child = await self._running_child()
            numbered = {**job, "id": self._jobs}
            if self._enough is None:
                done = await self._converse(child, numbered, report)
            else:
                tell = partial(_tell_when, self._enough, child, self._jobs)
                told = await run_unless(partial(self._converse, child, numbered, report), tell)
                assert told is not None  # `tell` does not return
                done = told
            child_is_well = True
            return done
        except _JobError:
            child_is_well = True
            raise
        except (WorkError, AssertionError):
            raise
        except Exception as error:  # no interpreter, a broken pipe, a path that is not text, nonsense in an answer
            raise WorkError(f"worker process: {describe(error)}") from error
        finally:
            if not child_is_well:
                await self.aclose()

    async def aclose(self) -> None:
        """Kill the child, if any, and reap it."""
        child, self._child = self._child, None
        if child is not None:
            await kill_and_reap(child)

    @property
    def pid(self) -> int | None:
        """Process id of the child, None while there is none."""
        return self._child.pid if self._child is not None and self._child.poll() is None else None

    async def _running_child(self) -> trio.Process:
        if self._child is not None and self._child.poll() is None:
            return self._child
        await self.aclose()
        log = self._log.open_pipe()
        try:
            self._child = await trio.lowlevel.open_process(
                list(self._command),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                cwd=os.sep,
                env={**os.environ, **self._environment},
            )
        finally:
            os.close(log)
        return self._child

    async def _converse(self, child: trio.Process, job: Mapping[str, Any], report: Report) -> Mapping[str, Any]:
        assert child.stdin is not None
        assert child.stdout is not None
        await child.stdin.send_all(_frame(job))
        reader = _FrameReader(child.stdout)
        while True:
            answer = await reader.next_frame()
            if answer is None:
                raise WorkError(f"worker process ended: {exit_text(await child.wait())}; its log may say more")
            if answer.get("id") != job["id"]:
                continue
            if "progress" in answer:
                report(_mapping(answer["progress"]))
            elif "done" in answer:
                return _mapping(answer["done"])
            else:
                reason = str(answer.get("error", "no reason given"))
                raise WorkError(reason) if answer.get("broken") else _JobError(reason)


async def _tell_when(enough: trio.Event, child: trio.Process, number: int) -> None:
    """Tell the child once that a job is to end with what it has; never return."""
    await enough.wait()
    assert child.stdin is not None
    with suppress(trio.BrokenResourceError, trio.ClosedResourceError):  # it has ended: the answer tells how
        await child.stdin.send_all(_frame({"enough": number}))
    await trio.sleep_forever()


class _JobError(WorkError):
    """The worker itself is well; only this job failed."""


class _FrameReader:
    """Cuts a byte stream into CBOR frames: 4 bytes of big-endian length, then the map."""

    def __init__(self, stream: trio.abc.ReceiveStream) -> None:
        self._stream = stream
        self._buffer = bytearray()

    async def next_frame(self) -> Mapping[str, Any] | None:
        """Return the next frame, or None at the end of the stream."""
        head = await self._take(4)
        if head is None:
            return None
        length = int.from_bytes(head, "big")
        if length > FRAME_MAX_BYTES:
            raise WorkError(f"worker process sent a frame of {length} bytes")
        body = await self._take(length)
        if body is None:
            return None
        try:
            frame = cbor2.loads(body)
        except Exception as error:  # CBOR of others brings out many kinds: of recursion, memory, dates, hashes
            raise WorkError(f"worker process sent a frame that is not CBOR: {describe(error)}") from None
        if not isinstance(frame, dict):
            raise WorkError("worker process sent a frame that is not a map")
        return frame

    async def _take(self, count: int) -> bytes | None:
        while len(self._buffer) < count:
            chunk = await self._stream.receive_some()
            if not chunk:
                return None
            self._buffer += chunk
        taken = bytes(self._buffer[:count])
        del self._buffer[:count]
        return taken


def _mapping(value: Any) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise WorkError("worker process sent an answer that is not a map")
    return value


def _frame(message: Mapping[str, Any]) -> bytes:
    body = cbor2.dumps(message)
    return len(body).to_bytes(4, "big") + body
