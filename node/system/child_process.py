"""Child processes that must not outlive their use."""

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
