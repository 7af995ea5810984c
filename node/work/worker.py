"""Job runners do jobs outside the node's own process, so that no fault of a job reaches the node.

`WorkerProcess` keeps a warm child, `python -m training.worker`, and speaks CBOR frames with it over pipes:
starting one costs seconds of imports, so it serves job after job. Whatever goes wrong with the child (killed
for memory, a crash in a library, a broken frame) ends in `WorkError` for the job that ran, or for those that it did
together; the next job gets a fresh child. Cancelling `perform` kills the child, since a job that nobody waits for must
not run on; unless it does others, too: then the child is told to drop that one.
"""

import os
import subprocess
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any, Protocol

import trio

from node.system.child_log import ChildLog
from node.system.child_process import kill_and_reap
from node.system.imports import python_command
from node.system.supervision import describe
from node.system.tasks import run_unless
from node.work.conversation import Conversation, WorkError

WORKER = python_command("training.worker", "--nice", "10")
"""The worker is nice, so that a busy machine goes on gossiping."""

_NOTHING: Mapping[str, str] = MappingProxyType({})

_DROP_S = 1.0  # to tell the child so

Report = Callable[[Mapping[str, Any]], None]

__all__ = ["WORKER", "JobRunner", "Report", "WorkError", "WorkerProcess"]


class JobRunner(Protocol):
    """Does jobs: one at a time, and jobs of self-play of one kind together, if their progress tells `room`."""

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
        self._child: Conversation | None = None
        self._starting = trio.Lock()
        self._jobs = 0

    async def perform(self, job: Mapping[str, Any], report: Report) -> Mapping[str, Any]:
        """See `JobRunner.perform`."""
        self._jobs += 1
        number, is_well = self._jobs, False
        child: Conversation | None = None
        try:
            child = await self._running_child()
            child.begin(number)
            done = await self._converse(child, number, job, report)
            is_well = True
            return done
        except _JobError:
            is_well = True
            raise
        except (WorkError, AssertionError):
            raise
        except Exception as error:  # no interpreter, a broken pipe, a path that is not text, nonsense in an answer
            raise WorkError(f"worker process: {describe(error)}") from error
        except BaseException:  # cancelled: alone, or in a group
            is_well = child is not None and await _drop(child, number)
            raise
        finally:
            if child is not None:
                child.end(number)
                if not is_well:
                    await self._end(child)

    async def aclose(self) -> None:
        """Kill the child, if any, and reap it."""
        if self._child is not None:
            await self._end(self._child)

    async def end(self, reason: str) -> None:
        """Kill the child, if any: the jobs that it does fail for this reason."""
        if self._child is not None:
            self._child.fail(f"worker process was ended: {reason}")
            await self._end(self._child)

    @property
    def pid(self) -> int | None:
        """Process id of the child, None while there is none."""
        return self._child.process.pid if self._child is not None and self._child.process.poll() is None else None

    async def _end(self, child: Conversation) -> None:
        if self._child is child:
            self._child = None
        await kill_and_reap(child.process)

    async def _running_child(self) -> Conversation:
        async with self._starting:
            if self._child is not None and self._child.process.poll() is None:
                return self._child
            await self.aclose()
            self._child = Conversation(await self._start())
            return self._child

    async def _start(self) -> trio.Process:
        log = self._log.open_pipe()
        try:
            return await trio.lowlevel.open_process(
                list(self._command),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                cwd=os.sep,
                env={**os.environ, **self._environment},
            )
        finally:
            os.close(log)

    async def _converse(
        self, child: Conversation, number: int, job: Mapping[str, Any], report: Report
    ) -> Mapping[str, Any]:
        ask = partial(_ask, child, {**job, "id": number}, report)
        if self._enough is None:
            return await ask()
        told = await run_unless(ask, partial(_tell_when, self._enough, child, number))
        assert told is not None  # `_tell_when` does not return
        return told


async def _ask(child: Conversation, job: Mapping[str, Any], report: Report) -> Mapping[str, Any]:
    await child.send(job)
    while True:
        answer = await child.next_answer(job["id"])
        if "progress" in answer:
            report(_mapping(answer["progress"]))
        elif "done" in answer:
            return _mapping(answer["done"])
        else:
            reason = str(answer.get("error", "no reason given"))
            raise WorkError(reason) if answer.get("broken") else _JobError(reason)


async def _tell_when(enough: trio.Event, child: Conversation, number: int) -> None:
    """Tell the child once that a job is to end with what it has; never return."""
    await enough.wait()
    with suppress(trio.BrokenResourceError, trio.ClosedResourceError):  # it has ended: the answer tells how
        await child.send({"enough": number})
    await trio.sleep_forever()


async def _drop(child: Conversation, number: int) -> bool:
    """Tell a child that does other jobs, too, that nobody waits for this one; return whether it was told."""
    if child.jobs < 2 or child.is_torn:
        return False
    with trio.CancelScope(shield=True), trio.move_on_after(_DROP_S), suppress(trio.BrokenResourceError):
        await child.send({"drop": number})
    return not child.is_torn


class _JobError(WorkError):
    """The worker itself is well; only this job failed."""


def _mapping(value: Any) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise WorkError("worker process sent an answer that is not a map")
    return value
