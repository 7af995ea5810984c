"""Everything a demo needs before its first node starts: a directory, free ports, a swarm, compiled kernels."""

import argparse
import contextlib
import socket
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import trio
from rich.console import Console

from node.config.founding import found_swarm
from node.config.swarm_file import load_config
from node.demo.processes import NodeCommand

ROOT = Path("demo-swarm")


@dataclass(frozen=True)
class Stage:
    """A swarm that is ready to start."""

    directory: Path
    config: Path
    names: tuple[str, ...]
    keys: tuple[Path, ...]
    http_ports: tuple[int, ...]
    setup_s: float
    compile_s: float

    def commands(self) -> list[NodeCommand]:
        """How to start each node."""
        commands = []
        for name, key, port in zip(self.names, self.keys, self.http_ports, strict=True):
            data = self.directory / name
            arguments = (str(self.config), "--key", str(key), "--data", str(data), "--http", f"127.0.0.1:{port}")
            commands.append(NodeCommand(name, key, data, f"http://127.0.0.1:{port}", arguments))
        return commands


async def set_stage(options: argparse.Namespace, console: Console) -> Stage:
    """Found the swarm and compile what its workers run."""
    started = time.monotonic()
    directory = _directory(options.dir)
    ports = free_ports(2 * options.nodes)
    gossip, http = ports[: options.nodes], ports[options.nodes :]
    configuration = f"{options.board}-{options.players}"
    founded = found_swarm(directory, [f"127.0.0.1:{port}" for port in gossip], [configuration])
    console.print(f"A swarm of {options.nodes} in {directory} (keys, stores, logs).", soft_wrap=True)
    compile_started = time.monotonic()
    with console.status("Compiling the rules for this machine (once; half a minute) ..."):
        await _compile(configuration, console)
    now = time.monotonic()
    names = tuple(member.name for member in load_config(founded.config).members)
    return Stage(directory, founded.config, names, founded.keys, tuple(http), now - started, now - compile_started)


def free_ports(count: int) -> list[int]:
    """TCP ports of the loopback interface that are free now."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


def _directory(wished: Path | None) -> Path:
    if wished is not None:
        return wished
    number = 1
    while (ROOT / str(number)).exists():
        number += 1
    return ROOT / str(number)


async def _compile(configuration: str, console: Console) -> None:
    """Compile in a child process, so that neither the demo nor its nodes ever load the compiler."""
    result = await trio.run_process(
        [sys.executable, "-m", "training.warm", configuration], check=False, capture_stderr=True
    )
    if result.returncode != 0:
        console.print(result.stderr.decode(errors="replace"), soft_wrap=True)
