"""The ways to end a node: SIGTERM, Ctrl-C and, for programs that start nodes, the end of its standard input."""

import contextlib
import os
import signal
import sys

import structlog
import trio

_log = structlog.get_logger(__name__)


async def end_on_signal(
    scope: trio.CancelScope, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
) -> None:
    """Cancel the scope at each SIGTERM or SIGINT."""
    with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        task_status.started()
        async for number in signals:
            _log.info("ending", signal=signal.Signals(number).name)
            scope.cancel()


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
