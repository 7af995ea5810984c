"""Child processes that must not outlive their use, and how they ended."""

import signal

import trio


async def kill_and_reap(process: trio.Process) -> None:
    """Kill the process unless it has ended, wait until it is gone, and close our ends of its pipes.

    Cancellation does not interrupt this: it takes no time, and a process left behind would run on.
    """
    with trio.CancelScope(shield=True):
        process.kill()
        await process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                await trio.aclose_forcefully(pipe)


def exit_text(status: int) -> str:
    """Return how a process ended, from its return code: "exit status 3", "killed by SIGKILL", "killed by signal 40"."""
    if status >= 0:
        return f"exit status {status}"
    try:
        name = signal.Signals(-status).name
    except ValueError:  # most real-time signals have no name
        name = f"signal {-status}"
    return f"killed by {name}"
