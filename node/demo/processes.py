"""The demo's node processes: each leads its own session, and ends even if the demo is killed."""

import os
import signal
import subprocess
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import trio

from node.system.imports import python_command

_GRACE_S = 2.5  # for a node to end by itself before it is killed; after Ctrl-C all is over within 5 s

_ONE_OF_SEVERAL = "--slots", "1", "--drain", "0"
"""A node has a whole machine by default; here several share one, and end together with whoever started them."""


@dataclass(frozen=True)
class NodeCommand:
    """The command that starts one node: `ringrift-node run` with these arguments."""

    name: str
    key: Path
    data: Path
    url: str
    arguments: tuple[str, ...]


@dataclass(frozen=True)
class NodeProcess:
    """The process of one node."""

    name: str
    data: Path
    url: str
    process: trio.Process

    @property
    def running(self) -> bool:
        """Whether the process is alive."""
        return self.process.poll() is None


async def start_node(
    command: NodeCommand, *, before: Sequence[str] = (), environment: Mapping[str, str] | None = None
) -> NodeProcess:
    """Start one node; its output goes to `node.log` in its data directory.

    `before` is what stands before the command, such as `ip netns exec NAME`; `environment` is that of the node, ours if
    it is None.

    It leads a session of its own, so that Ctrl-C at the terminal reaches only the demo, which then ends its
    nodes in order. If the demo is killed or its terminal closes, the node ends as its standard input does.
    """
    command.data.mkdir(parents=True, exist_ok=True)
    with (command.data / "node.log").open("ab") as log:
        process = await trio.lowlevel.open_process(
            [*before, *python_command("node.cli", "run", "--attended", *_ONE_OF_SEVERAL, *command.arguments)],
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            start_new_session=True,
            env=environment,
        )
    return NodeProcess(command.name, command.data, command.url, process)


@asynccontextmanager
async def node_processes(commands: list[NodeCommand]) -> AsyncIterator[list[NodeProcess]]:
    """Start the nodes; end all of them on exit."""
    nodes: list[NodeProcess] = []
    try:
        for command in commands:
            nodes.append(await start_node(command))
        yield nodes
    finally:
        with trio.CancelScope(shield=True):
            await end_processes([node.process for node in nodes])


async def end_processes(processes: list[trio.Process]) -> None:
    """Ask each process to end, and after `_GRACE_S` kill it and the rest of its session (its workers)."""
    for process in processes:
        if process.poll() is None:
            process.terminate()
    with trio.move_on_after(_GRACE_S):
        for process in processes:
            await process.wait()
    for process in processes:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()
        if process.stdin is not None:
            await process.stdin.aclose()


async def run_to_end(command: tuple[str, ...]) -> tuple[int, str]:
    """Run `ringrift-node` with these arguments in a process of its own; return its exit status and output."""
    result = await trio.run_process(
        python_command("node.cli", *command),
        check=False,
        capture_stdout=True,
        capture_stderr=True,
    )
    return result.returncode, (result.stdout + result.stderr).decode(errors="replace")
