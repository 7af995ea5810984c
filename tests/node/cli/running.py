"""Commands that ask a node, run in a thread beside it."""

from pathlib import Path

import trio

from node.cli import main


async def ask(*arguments: str | Path) -> int:
    """Run `ringrift-node` with these arguments; its status."""
    return await trio.to_thread.run_sync(main, [str(argument) for argument in arguments])
