"""Measure whether worker slots pay: games an hour of real nodes on this machine with one slot each, and with more."""

from __future__ import annotations

import argparse
import os
import runpy
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import trio

from consensus.settings import NEW_SWARM, SelfplaySettings, Settings
from node.config.founding import found_swarm
from node.demo.preparation import free_ports
from node.demo.processes import NodeCommand, NodeProcess, node_processes

_BENCHES = Path(__file__).parent
show_figures = runpy.run_path(str(_BENCHES / "_figures.py"))["show_figures"]
processor_seconds = runpy.run_path(str(_BENCHES / "node.py"))["processor_seconds"]

_START_LIMIT_S = 120.0
_FULL = 0.95  # of the time of the cores: they limit
_TICKS = os.sysconf("SC_CLK_TCK")


def parse(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/bench slots", description=__doc__)
    parser.add_argument("--nodes", type=int, default=4, metavar="N", help="nodes of the swarm (default 4)")
    parser.add_argument("--slots", type=int, action="append", metavar="N", help="slots of each (default 1, then 2)")
    parser.add_argument("--games", type=int, default=16, metavar="N", help="games of a claim (default 16)")
    parser.add_argument("--seconds", type=float, default=60.0, help="how long each swarm is watched (default 60)")
    parser.add_argument("--json", action="store_true", help="print one object for programs")
    return parser.parse_args(argv)


def settings(games: int) -> Settings:
    """Return settings with which self-play goes on for ever, with the search and no network, and counts at once."""
    return replace(
        NEW_SWARM,
        selfplay=SelfplaySettings(games=games, random_games=0, ceiling=10**6),
        steering=replace(NEW_SWARM.steering, custodians=0),
    )


def core_times() -> tuple[float, float]:
    """Return the seconds, of all cores that we may use together, that something ran, and that nothing did."""
    cores = {f"cpu{number}" for number in os.sched_getaffinity(0)}
    busy = idle = 0
    for line in Path("/proc/stat").read_text().splitlines():
        name, *values = line.split()
        if name in cores:
            numbers = [int(value) for value in values[:8]]
            waiting = numbers[3] + numbers[4]
            busy, idle = busy + sum(numbers) - waiting, idle + waiting
    return busy / _TICKS, idle / _TICKS


class Swarm:
    """Nodes that only play, and what they tell."""

    def __init__(self, nodes: list[NodeProcess], client: httpx.AsyncClient) -> None:
        self._nodes, self._client = nodes, client

    async def status(self) -> dict[str, Any]:
        """Return the status of the first node."""
        answer: dict[str, Any] = (await self._client.get(self._nodes[0].url + "/status")).json()
        return answer

    async def games(self) -> int:
        """Return the games that were delivered by all nodes."""
        return int((await self.status())["counts"]["games"])

    def processor_s(self) -> float:
        """Return the processor seconds of all nodes and their workers that still run."""
        return float(sum(processor_seconds(node.process.pid) for node in self._nodes))

    async def wait_until_all_play(self) -> None:
        """Wait until every node has delivered something: kernels are compiled, and all is under way."""
        with trio.fail_after(_START_LIMIT_S):
            while True:
                try:
                    answers = (await self._client.get(self._nodes[0].url + "/log")).json()
                except httpx.TransportError:
                    answers = []
                if len({entry["member"] for entry in answers if entry["kind"] == "games"}) == len(self._nodes):
                    return
                await trio.sleep(0.2)


async def measure(nodes: int, slots: int, games: int, seconds: float) -> dict[str, Any]:
    """Run one swarm and watch it for so many seconds."""
    with tempfile.TemporaryDirectory() as directory:
        prepared = commands(Path(directory), nodes, slots, games)
        async with (
            node_processes(prepared) as running,
            httpx.AsyncClient(timeout=30, trust_env=False, verify=False) as client,
        ):
            swarm = Swarm(running, client)
            await swarm.wait_until_all_play()
            began, played, spent, (busy, idle) = (
                trio.current_time(), await swarm.games(), swarm.processor_s(), core_times(),
            )  # fmt: skip
            await trio.sleep(seconds)
            played, spent = await swarm.games() - played, swarm.processor_s() - spent
            watched = trio.current_time() - began
            busy, idle = (after - before for after, before in zip(core_times(), (busy, idle), strict=True))
    cores = len(os.sched_getaffinity(0))
    full = busy / (busy + idle)
    return {
        "nodes": nodes,
        "slots": slots,
        "games": played,
        "games_per_h": round(3600 * played / watched),
        "games_per_cpu_h": round(3600 * played / spent),
        "own_cores": round(spent / watched, 2),
        "cores": cores,
        "busy_percent": round(100 * full),
        "limit": "processor" if full >= _FULL else "waiting",
    }


def commands(directory: Path, nodes: int, slots: int, games: int) -> list[NodeCommand]:
    """Found the swarm, and return the commands of its nodes."""
    ports = free_ports(2 * nodes)
    addresses = [f"127.0.0.1:{port}" for port in ports[:nodes]]
    founded = found_swarm(directory, addresses, ["hex8-2"], settings=settings(games))
    made = []
    for number, (key, port) in enumerate(zip(founded.keys, ports[nodes:], strict=True), 1):
        data, http = directory / f"data{number}", f"127.0.0.1:{port}"
        options = ("--key", str(key), "--data", str(data), "--http", http, "--roles", "selfplay", "--slots", str(slots))
        made.append(NodeCommand(f"node{number}", key, data, f"http://{http}", (str(founded.config), *options)))
    return made


def main(argv: list[str]) -> int:
    arguments = parse(argv)
    results = [
        trio.run(measure, arguments.nodes, slots, arguments.games, arguments.seconds)
        for slots in arguments.slots or (1, 2)
    ]
    show_figures(results, as_json=arguments.json)
    return 0
