"""Parts of a program that run side by side, each of which may fail without taking the others with it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any, Protocol

import structlog
import trio

from node.system.exception_groups import leaves

_FIRST_PAUSE_S = 1.0
_LONGEST_PAUSE_S = 60.0
_MAX_REASON_CHARS = 200

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, kw_only=True)
class PartFailure:
    """How a part failed last. Times are seconds of trio's clock."""

    part: str
    reason: str
    count: int  # how often it failed since the start
    at: float
    again_at: float | None  # when it starts again; None once it runs, or if it failed at one thing of many


class Supervisor(Protocol):
    """Runs the parts of a node."""

    async def run(
        self,
        part: str,
        task: Callable[..., Awaitable[object]],
        *args: Any,
        task_status: trio.TaskStatus[Any] = trio.TASK_STATUS_IGNORED,
    ) -> None:
        """Run `task` until it returns."""
        ...

    async def attempt(self, part: str, task: Callable[..., Awaitable[object]], *args: Any) -> None:
        """Run `task`, one of many things that a part does."""
        ...


class Unsupervised:
    """Lets every error through, for simulations and tests: there an error is what is looked for."""

    async def run(
        self,
        part: str,
        task: Callable[..., Awaitable[object]],
        *args: Any,
        task_status: trio.TaskStatus[Any] = trio.TASK_STATUS_IGNORED,
    ) -> None:
        """See `Supervisor.run`."""
        if task_status is trio.TASK_STATUS_IGNORED:
            await task(*args)
        else:
            await task(*args, task_status=task_status)

    async def attempt(self, part: str, task: Callable[..., Awaitable[object]], *args: Any) -> None:
        """See `Supervisor.attempt`."""
        await task(*args)


class RestartingSupervisor:
    """Ends a part that fails, tells it, and starts the part again, after a pause that doubles while it goes on failing.

    An error that nobody foresaw is a fault of this program, such as one that some input brings out. It must not be a
    way to stop a node. Two kinds of error pass through and end the node:

    - those in `fatal`, such as `StoreError`: after a failed write nobody knows what the disk holds.
    - all errors of a part that is run outside of this class. In `node.app` that is `Member.run` alone, which owns the
      replica, the store and own events. Stopped in the middle of a step, it may have stored what it has not attached,
      or signed what it has not stored; only a start from the disk makes sure that it does not sign a number twice. So
      `run_vital` runs it, which turns what it raises into one `VitalPartError`.

    Everything else only reads the replica, or hands in what is checked again: it can begin anew at any time, as it does
    after a restart of the process.
    """

    def __init__(self, fatal: tuple[type[Exception], ...]) -> None:
        self._fatal = fatal
        self._failures: dict[str, PartFailure] = {}

    @property
    def failures(self) -> list[PartFailure]:
        """How each part failed last that ever did, the newest failure last."""
        return list(self._failures.values())

    async def run(
        self,
        part: str,
        task: Callable[..., Awaitable[object]],
        *args: Any,
        task_status: trio.TaskStatus[Any] = trio.TASK_STATUS_IGNORED,
    ) -> None:
        """Run `task` until it returns, again and again if it fails.

        With `nursery.start`, the task gets a `task_status` too, and what it raises before it has used that is raised.
        """
        first = None if task_status is trio.TASK_STATUS_IGNORED else _FirstStart(task_status)
        pause_s = _FIRST_PAUSE_S
        while True:
            begun_at = trio.current_time()
            try:
                await (task(*args) if first is None else task(*args, task_status=first))
                return
            except Exception as error:
                if (first is not None and not first.has_started) or self._is_fatal(error):
                    raise
                now = trio.current_time()
                if now > begun_at + _LONGEST_PAUSE_S:
                    pause_s = _FIRST_PAUSE_S
                _log.error("part failed", part=part, again_in_s=pause_s, exc_info=error)
                self._observe(part, error, again_at=now + pause_s)
            await trio.sleep(pause_s)
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
            self._observe_start(part)

    async def attempt(self, part: str, task: Callable[..., Awaitable[object]], *args: Any) -> None:
        """Run `task`; if it fails, tell it and return."""
        try:
            await task(*args)
        except Exception as error:
            if self._is_fatal(error):
                raise
            _log.error("part failed", part=part, exc_info=error)
            self._observe(part, error, again_at=None)

    def _is_fatal(self, error: Exception) -> bool:
        errors = leaves(error) if isinstance(error, ExceptionGroup) else [error]
        return any(isinstance(each, self._fatal) for each in errors)

    def _observe(self, part: str, error: Exception, again_at: float | None) -> None:
        before = self._failures.pop(part, None)
        self._failures[part] = PartFailure(
            part=part,
            reason=describe(error),
            count=1 if before is None else before.count + 1,
            at=trio.current_time(),
            again_at=again_at,
        )

    def _observe_start(self, part: str) -> None:
        self._failures[part] = replace(self._failures[part], again_at=None)


class VitalPartError(Exception):
    """A part without which a node cannot go on has failed; the message is one line."""


async def run_vital(
    part: str,
    task: Callable[..., Awaitable[object]],
    *args: Any,
    expected: tuple[type[Exception], ...],
    task_status: trio.TaskStatus[Any] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Run `task`, the end of which is that of the program. Raise VitalPartError, or one of `expected` as it comes."""
    try:
        await task(*args, task_status=task_status)
    except expected:
        raise
    except Exception as error:
        _log.error("part failed", part=part, exc_info=error)
        raise VitalPartError(
            f"{part} failed ({describe(error)}), and going on could break a promise to the swarm; the log says where. "
            "Start again; if it fails again, report it with the log"
        ) from error


class _FirstStart:
    """A `task_status` that a task may use at each of its starts; only the first use counts."""

    def __init__(self, task_status: trio.TaskStatus[Any]) -> None:
        self._task_status = task_status
        self.has_started = False

    def started(self, value: Any = None) -> None:
        """Report the first start."""
        if not self.has_started:
            self.has_started = True
            self._task_status.started(value)


def describe(error: Exception) -> str:
    """Return what an error is in one line, of an error in a group the first."""
    first = next(iter(leaves(error))) if isinstance(error, ExceptionGroup) else error
    return " ".join(f"{type(first).__name__}: {first}".split())[:_MAX_REASON_CHARS]
