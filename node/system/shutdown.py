"""The ways to end a node: SIGTERM, Ctrl-C and, for programs that start nodes, the end of its standard input."""

import contextlib
import os
import signal
import sys
from collections.abc import Callable

import structlog
import trio

_log = structlog.get_logger(__name__)


async def end_on_signal(
    scope: trio.CancelScope,
    begin_end: Callable[[], None],
    *,
    task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Begin the end at the first SIGTERM or SIGINT, and cancel the scope at each later one."""
    with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        task_status.started()
        has_begun = False
        async for number in signals:
            _log.info("told to end", signal=signal.Signals(number).name)
            if has_begun:
                scope.cancel()
            has_begun = True
            begin_end()


async def end_with_input(scope: trio.CancelScope) -> None:
    """Cancel the scope when standard input, a pipe, ends. It ends however the program at its other end dies.

    One that cannot be read has ended, too.
    """
    with contextlib.suppress(OSError, trio.BrokenResourceError):
        async with trio.lowlevel.FdStream(os.dup(sys.stdin.fileno())) as stream:
            async for _ in stream:
                pass
    _log.info("ending", reason="standard input has ended")
    scope.cancel()
