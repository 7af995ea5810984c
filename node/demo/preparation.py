"""Everything a demo needs before its first node starts: a directory, free ports, a swarm, compiled kernels."""

import argparse
import contextlib
import socket
import time
from dataclasses import dataclass
from pathlib import Path

import trio
from rich.console import Console

from node.config.founding import found_swarm
from node.config.swarm_file import load_config
from node.demo.processes import NodeCommand
from node.system.imports import python_command
from node.text.formatting import plural
from node.text.harmless import harmless_lines

_DIRECTORY = Path("demo-swarm")
_STDERR = 2  # descriptor


@dataclass(frozen=True, kw_only=True)
class PreparedSwarm:
    """A swarm that is ready to start."""

    directory: Path
    config: Path
    names: tuple[str, ...]
    keys: tuple[Path, ...]
    http_ports: tuple[int, ...]
    setup_s: float
    compile_s: float

    def commands(self) -> list[NodeCommand]:
        """Return the command that starts each node."""
        commands = []
        for name, key, port in zip(self.names, self.keys, self.http_ports, strict=True):
            data = self.directory / name
            arguments = (str(self.config), "--key", str(key), "--data", str(data), "--http", f"127.0.0.1:{port}")
            commands.append(NodeCommand(name, key, data, f"http://127.0.0.1:{port}", arguments))
        return commands


async def prepare_swarm(options: argparse.Namespace, console: Console) -> PreparedSwarm:
    """Found the swarm, and compile what its workers run."""
    started = time.monotonic()
    directory = options.dir or _next_directory()
    ports = free_ports(2 * options.nodes)
    gossip_ports, http_ports = ports[: options.nodes], ports[options.nodes :]
    configuration = f"{options.board}-{options.players}"
    founded = found_swarm(directory, [f"127.0.0.1:{port}" for port in gossip_ports], [configuration])
    console.print(f"A swarm of {plural(options.nodes, 'node')} in {directory} (keys, stores, logs).", soft_wrap=True)
    compile_started = time.monotonic()
    with console.status("Compiling the game rules for this machine (once, about half a minute) ..."):
        await _compile(configuration, console)
    now = time.monotonic()
    return PreparedSwarm(
        directory=directory,
        config=founded.config,
        names=tuple(member.name for member in load_config(founded.config).members),
        keys=founded.keys,
        http_ports=tuple(http_ports),
        setup_s=now - started,
        compile_s=now - compile_started,
    )


def free_ports(count: int) -> list[int]:
    """Return TCP ports of the loopback interface that are free now."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


def _next_directory() -> Path:
    number = 1
    while (_DIRECTORY / str(number)).exists():
        number += 1
    return _DIRECTORY / str(number)


async def _compile(configuration: str, console: Console) -> None:
    """Compile in a child process, so that neither the demo nor its nodes load the compiler."""
    result = await trio.run_process(
        python_command("training.warm", configuration),
        check=False,
        stdout=_STDERR if console.stderr else None,  # standard output has JSON only then
        capture_stderr=True,
    )
    if result.returncode != 0:
        console.print(harmless_lines(result.stderr.decode(errors="replace")), soft_wrap=True)
