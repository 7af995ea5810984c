"""Real `ringrift-node` processes on loopback, for tests that kill processes."""

import os
import signal
import sqlite3
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import Any, TypeVar, cast

import httpx
import trio

from consensus.encoding import decode
from consensus.event import Event, decode_event
from consensus.settings import MatchSettings, SelfplaySettings, Settings, TimingSettings, TrainingSettings
from node.config.founding import Founded, found_swarm
from node.demo.preparation import free_ports
from node.demo.processes import NodeCommand, NodeProcess, end_processes, start_node

QUICK = Settings(
    selfplay=SelfplaySettings(games=8, random_games=0, simulations=4, considered=4, ceiling=128, late_promotions=0),
    training=TrainingSettings(
        games=32,
        window=2048,
        steps=100,
        batch=64,
        architecture="c8b1",
        first_networks=1,
        first_steps=0,
        measured_blocks=1,
    ),
    match=MatchSettings(
        simulations=4,
        considered=4,
        slot_blocks=1,
        block_limit=16,
        p1=Fraction(3, 4),
        alpha=Fraction(9, 20),
        beta=Fraction(9, 20),
    ),
    timing=TimingSettings(lease_s=12),
)
"""Small amounts of everything, and a match that a model wins easily: the tests are about the swarm, not the play."""


@dataclass
class Processes:
    """The nodes of one swarm by number. A node that was killed can be started again."""

    directory: Path
    commands: Sequence[NodeCommand]
    running: dict[int, NodeProcess] = field(default_factory=dict)

    async def start(self, *numbers: int) -> None:
        """Start these nodes."""
        for number in numbers:
            self.running[number] = await self.open(number)

    async def open(self, number: int) -> NodeProcess:
        """Return the process of a node that was started now."""
        return await start_node(self.commands[number])

    async def kill(self, number: int) -> None:
        """Send SIGKILL to the node alone: its workers must notice by themselves."""
        process = self.running.pop(number).process
        os.kill(process.pid, signal.SIGKILL)
        await process.wait()

    async def ask(self, number: int, path: str) -> Any:
        """Return a JSON answer of a node; None while it does not answer."""
        try:
            async with httpx.AsyncClient(timeout=5, trust_env=False, verify=False) as client:
                return (await client.get(self.commands[number].url + path)).json()
        except (httpx.HTTPError, ValueError):
            return None

    async def until(self, number: int, path: str, holds: Callable[[Any], bool], seconds: float) -> Any:
        """Return the first answer for which `holds`. Raises AssertionError after `seconds`."""
        answer = None
        with trio.move_on_after(seconds):
            while True:
                answer = await self.ask(number, path)
                if answer is not None and holds(answer):
                    return answer
                await trio.sleep(0.2)
        raise AssertionError(f"node {number}: {path} was never as expected; the last answer was {answer}")

    async def ready(self, *numbers: int) -> None:
        """Wait until these nodes are ready: as far as a quorum of the members."""
        for number in numbers:
            await self.until(number, "/ready", lambda answer: bool(answer["ready"]), 60)

    async def round_and_digest(self, number: int) -> tuple[int, str]:
        """Return the last decided round, and the ledger's digest after it."""
        consensus = (await self.ask(number, "/status"))["consensus"]
        return consensus["round"], consensus["ledger_digest"]

    async def same_digest(self, first: int, second: int, seconds: float = 60) -> None:
        """Wait until two nodes were seen at the same round, and compare their ledgers there."""
        seen: dict[int, dict[int, str]] = {first: {}, second: {}}
        with trio.fail_after(seconds):
            while not (common := seen[first].keys() & seen[second].keys()):
                for number in seen:
                    at, digest = await self.round_and_digest(number)
                    seen[number][at] = digest
                await trio.sleep(0.02)
        for at in common:
            assert seen[first][at] == seen[second][at], f"the ledgers differ after round {at}"

    async def log(self, number: int) -> list[dict[str, Any]]:
        """Return all effects of the order that a node keeps."""
        entries: list[dict[str, Any]] = []
        while more := await self.ask(number, f"/log?after={entries[-1]['number'] if entries else 0}"):
            entries.extend(more)
        return entries

    async def until_log(
        self, number: int, holds: Callable[[list[dict[str, Any]]], bool], seconds: float
    ) -> list[dict[str, Any]]:
        """Return the first log for which `holds`. Raises AssertionError after `seconds`."""
        entries: list[dict[str, Any]] = []
        with trio.move_on_after(seconds):
            while not holds(entries := await self.log(number)):
                await trio.sleep(0.5)
            return entries
        raise AssertionError(f"node {number}: its log was never as expected; its end was {entries[-20:]}")

    def add_options(self, number: int, *options: str) -> None:
        """Start a node with these options as well from now on."""
        command = self.commands[number]
        commands = [*self.commands]
        commands[number] = replace(command, arguments=(*command.arguments, *options))
        self.commands = commands

    def stored_events(self, number: int) -> list[Event]:
        """Return all events, of all epochs, in the store of a node that does not run."""
        with sqlite3.connect(self.commands[number].data / "events.sqlite") as database:
            rows = database.execute("SELECT raw FROM events ORDER BY position").fetchall()
        return [decode_event(raw, _epoch_of(raw)) for (raw,) in rows]


def _epoch_of(raw: bytes) -> bytes:
    header, _, _ = cast(list[bytes], decode(raw, limit=len(raw)))
    epoch = cast(list[Any], decode(header, limit=len(header)))[1]
    assert isinstance(epoch, bytes)
    return epoch


def node_commands(founded: Founded, directory: Path, http: Sequence[int], *options: str) -> list[NodeCommand]:
    """Return the commands of all members, with their data in `directory`; `http` are their ports for people."""
    commands = []
    for number, (key, port) in enumerate(zip(founded.keys, http, strict=True)):
        data = directory / f"data{number}"
        arguments = (str(founded.config), "--key", str(key), "--data", str(data), "--http", f"127.0.0.1:{port}")
        url = f"http://127.0.0.1:{port}"
        commands.append(NodeCommand(f"node{number}", key, data, url, (*arguments, *options)))
    return commands


S = TypeVar("S", bound=Processes)


@asynccontextmanager
async def ending(swarm: S) -> AsyncIterator[S]:
    """End those nodes of a swarm that run on exit."""
    try:
        yield swarm
    finally:
        with trio.CancelScope(shield=True):
            await end_processes([node.process for node in swarm.running.values()])


@asynccontextmanager
async def processes(
    directory: Path, count: int, settings: Settings, *options: str, hosts: Sequence[str] = ()
) -> AsyncIterator[Processes]:
    """Set up a swarm of `count` nodes, not started yet, on these hosts; end those that run on exit."""
    async with ending(Processes(directory, commands_on(directory, count, settings, *options, hosts=hosts))) as swarm:
        yield swarm


def commands_on(
    directory: Path, count: int, settings: Settings, *options: str, hosts: Sequence[str] = ()
) -> list[NodeCommand]:
    """Found a swarm of `count` nodes on these hosts, and return their commands."""
    ports = free_ports(2 * count)
    addresses = [f"{host}:{port}" for host, port in zip(hosts or ["127.0.0.1"] * count, ports[:count], strict=True)]
    founded = found_swarm(directory, addresses, ["hex8-2"], settings=settings)
    return node_commands(founded, directory, ports[count:], *options)
