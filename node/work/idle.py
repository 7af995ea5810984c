"""Commands of the person at this machine: when the swarm has wanted nothing from it for long, and when it has drained.

They can give a rented machine back, for example. What they print goes to `idle.log` in the data folder.
"""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import structlog
import trio

from node.system.child_log import ChildLog
from node.system.child_process import exit_text

_log = structlog.get_logger(__name__)

_LOOK_S = 5.0


class IdleHook:
    """Runs `command` with /bin/sh once nothing has been wanted for `after_s`; again only after work in between."""

    def __init__(self, command: str, after_s: float, log: Path) -> None:
        self._command = command
        self._after_s = after_s
        self._log = ChildLog(log)

    async def run(self, why_idle: Callable[[], str]) -> None:
        """Watch until cancelled; `why_idle` says why the node has nothing to do, and is empty if it works."""
        while True:
            await self._wait_until_idle(why_idle)
            await self._perform(why_idle())
            while why_idle():
                await trio.sleep(_LOOK_S)

    async def _wait_until_idle(self, why_idle: Callable[[], str]) -> None:
        since = trio.current_time()
        while trio.current_time() - since < self._after_s:
            await trio.sleep(_LOOK_S)
            if not why_idle():
                since = trio.current_time()

    async def _perform(self, reason: str) -> None:
        await run_command(self._command, self._log, f"nothing was wanted for {self._after_s:g} s: {reason}")


async def run_command(command: str, log: ChildLog, reason: str) -> None:
    """Run a command with /bin/sh until it ends; cancellation kills it. What goes wrong is logged."""
    _log.info("command runs", command=command, reason=reason)
    try:
        pipe = log.open_pipe()
        try:
            done = await trio.run_process(
                ["/bin/sh", "-c", command],
                stdin=subprocess.DEVNULL,
                stdout=pipe,
                stderr=pipe,
                cwd=os.sep,
                check=False,
            )
        finally:
            os.close(pipe)
    except OSError as error:
        _log.warning("command cannot be run", command=command, why=str(error))
        return
    _log.info("command ended", command=command, how=exit_text(done.returncode))
