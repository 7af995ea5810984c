"""A child process is gone after it was killed, whatever it and its parent were doing."""

import signal
import subprocess
import sys

import pytest
import trio

from node.system.child_process import exit_text, kill_and_reap

SLEEPER = [sys.executable, "-c", "import sys; sys.stdin.read()"]


async def start(command: list[str]) -> trio.Process:
    return await trio.lowlevel.open_process(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)


async def test_a_running_process_is_killed_and_its_pipes_are_closed() -> None:
    process = await start(SLEEPER)
    await kill_and_reap(process)
    assert process.returncode == -signal.SIGKILL
    assert process.stdin is not None
    with pytest.raises(trio.ClosedResourceError):
        await process.stdin.send_all(b"x")


async def test_a_process_that_has_ended_is_reaped_as_well() -> None:
    process = await start([sys.executable, "-c", "raise SystemExit(3)"])
    with trio.fail_after(30):
        await process.wait()
    await kill_and_reap(process)
    assert process.returncode == 3


async def test_cancellation_does_not_interrupt_it() -> None:
    process = await start(SLEEPER)
    with trio.CancelScope() as scope:
        scope.cancel()
        await kill_and_reap(process)
    assert process.returncode == -signal.SIGKILL


@pytest.mark.parametrize("status", [0, 3, *(-number for number in range(1, 65))])
def test_every_end_has_a_text(status: int) -> None:
    kind = "exit status " if status >= 0 else "killed by SIG" if -status in {*signal.Signals} else "killed by signal "
    assert exit_text(status).startswith(kind)
