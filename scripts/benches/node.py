"""Measure real nodes, one process each, on loopback: their needs when idle, and how long a transaction takes."""

from __future__ import annotations

import argparse
import http.client
import json
import os
import runpy
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import mean, quantiles
from typing import Any

from consensus.settings import NEW_SWARM, Settings
from node.config.founding import found_swarm
from node.demo.preparation import free_ports

show_figures = runpy.run_path(str(Path(__file__).parent / "_figures.py"))["show_figures"]

_SUBMITTER = Path(__file__).parent / "_submitter.py"
# Run as a script, it would find the files beside it, which are named after the packages that it imports.
_RUN = "import runpy, sys; del sys.argv[0]; runpy.run_path(sys.argv[0], run_name='__main__')"
_SETTLE_S = 3.0  # between the last node's readiness and the measurement
_START_LIMIT_S = 120.0
WITH_SEARCH = replace(NEW_SWARM, selfplay=replace(NEW_SWARM.selfplay, games=16384, random_games=0, ceiling=10**6))
"""Claims of half a minute, with the search from the first one on: between short ones a slot rests."""
_WORK_LIMIT_S = 300.0  # until games are played: the first time, kernels are compiled
_RESULT = "result.json"
_REQUESTS = 300  # for /status, one after the other
_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE_MB = os.sysconf("SC_PAGE_SIZE") / 2**20


@dataclass(frozen=True)
class Running:
    """A node process, the port of its local HTTP server and its data folder."""

    process: subprocess.Popen[bytes]
    port: int
    data: Path

    @property
    def log(self) -> Path:
        return self.data / "node.log"


def parse(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/bench node", description=__doc__)
    parser.add_argument("--nodes", type=_count, action="append", metavar="N", help="nodes to start (default 1, then 4)")
    parser.add_argument("--seconds", type=float, default=20.0, help="how long to watch them (default 20)")
    parser.add_argument(
        "--submit",
        type=float,
        metavar="RATE",
        help="instead of idling, each node submits this many transactions a second (--nodes is then 7 by default)",
    )
    parser.add_argument(
        "--work", action="store_true", help="how soon /status answers while one node plays itself in all its slots"
    )
    parser.add_argument("--json", action="store_true", help="print one object for programs")
    return parser.parse_args(argv)


def _count(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 256:
        raise argparse.ArgumentTypeError(f"{text!r} is not the size of a swarm; give a whole number from 1 to 256")
    return int(text)


@contextmanager
def swarm(
    directory: Path, count: int, submit: Sequence[str] = (), roles: str = "none", settings: Settings = NEW_SWARM
) -> Iterator[list[Running]]:
    """Start `count` nodes with the work of these roles, or with that of _submitter.py; end them all on exit."""
    ports = free_ports(2 * count)
    addresses = [f"127.0.0.1:{port}" for port in ports[:count]]
    founded = found_swarm(directory, addresses, ["hex8-2"], settings=settings)
    nodes: list[Running] = []
    try:
        for key, port in zip(founded.keys, ports[count:], strict=True):
            nodes.append(start(founded.config, key, port, submit, roles))
        yield nodes
    finally:
        end(nodes)


def start(config: Path, key: Path, port: int, submit: Sequence[str], roles: str) -> Running:
    data = key.with_suffix("")
    data.mkdir()
    log = data / "node.log"
    program = ["-c", _RUN, str(_SUBMITTER), *submit, str(data / _RESULT)] if submit else ["-m", "node.cli"]
    command = [sys.executable, "-P", *program, "run", str(config), "--key", str(key), "--data", str(data)]
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*command, "--http", f"127.0.0.1:{port}", "--roles", roles],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    return Running(process, port, data)


def end(nodes: Sequence[Running]) -> None:
    for node in nodes:
        node.process.terminate()
    for node in nodes:
        try:
            node.process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            os.killpg(node.process.pid, signal.SIGKILL)
            node.process.wait()


def wait_until_ready(nodes: Sequence[Running], began: float) -> list[float]:
    """Wait until every node is ready; return the seconds from the start of the processes for each node."""
    ready: dict[int, float] = {}
    while len(ready) < len(nodes):
        for node in nodes:
            if node.process.poll() is not None:
                raise SystemExit(f"bench: a node has ended: {node.log.read_text()[-2000:]}")
            if node.port not in ready and ask(node.port, "/ready") == 200:
                ready[node.port] = time.perf_counter() - began
        if time.perf_counter() - began > _START_LIMIT_S:
            raise SystemExit(f"bench: not ready after {_START_LIMIT_S:.0f} s: {nodes[0].log.read_text()[-2000:]}")
        time.sleep(0.05)
    return list(ready.values())


def ask(port: int, path: str) -> int | None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    except OSError:
        return None
    finally:
        connection.close()


def processor_seconds(session: int) -> float:
    """Return the processor seconds of all processes in a node's session, its children included."""
    total = 0
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            values = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue  # the process has ended meanwhile
        if int(values[3]) == session:
            total += int(values[11]) + int(values[12])
    return total / _TICKS


def resident_mb(pid: int) -> float:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE_MB


def answer_times_ms(port: int) -> Iterator[float]:
    """Yield the time of each request for /status over one connection."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    for _ in range(_REQUESTS):
        begin = time.perf_counter()
        connection.request("GET", "/status")
        connection.getresponse().read()
        yield 1000 * (time.perf_counter() - begin)
    connection.close()


def measure(count: int, seconds: float) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as directory:
        began = time.perf_counter()
        with swarm(Path(directory), count) as nodes:
            starts = wait_until_ready(nodes, began)
            time.sleep(_SETTLE_S)
            before = [processor_seconds(node.process.pid) for node in nodes]
            begin = time.perf_counter()
            time.sleep(seconds)
            spent = [processor_seconds(node.process.pid) for node in nodes]
            watched = time.perf_counter() - begin
            resident = [resident_mb(node.process.pid) for node in nodes]
            times = list(answer_times_ms(nodes[0].port))
    shares = [100 * (after - earlier) / watched for after, earlier in zip(spent, before, strict=True)]
    return {
        "nodes": count,
        "idle_cpu_percent": round(mean(shares), 1),
        "rss_mb": round(mean(resident), 1),
        "start_s": round(max(starts), 2),
        "status_p50_ms": round(quantiles(times, n=2)[0], 2),
        "status_p99_ms": round(quantiles(times, n=100)[98], 2),
    }


def measure_work(seconds: float) -> dict[str, Any]:
    """Measure how soon one node answers for /status while all its slots play games against themselves.

    `status_own` is the processor time of the node's own threads between a request and its answer, whatever they did
    then: on a machine that others use, the answer's time is more by what the node waits for a core.
    """
    with (
        tempfile.TemporaryDirectory() as directory,
        swarm(Path(directory), 1, roles="selfplay", settings=WITH_SEARCH) as (node,),
    ):
        wait_until_ready([node], time.perf_counter())
        slots = wait_until_at_work(node)
        before, begin = processor_seconds(node.process.pid), time.perf_counter()
        own_before = own_seconds(node.process.pid)
        times, own_times = [], []
        earlier = thread_ms(node.process.pid)
        for taken_ms in answer_times_ms(node.port):
            times.append(taken_ms)
            own_times.append(thread_ms(node.process.pid) - earlier)
            time.sleep(seconds / _REQUESTS)
            earlier = thread_ms(node.process.pid)
        watched = time.perf_counter() - begin
        spent = processor_seconds(node.process.pid) - before
        own = own_seconds(node.process.pid) - own_before
    return {
        "slots": slots,
        "cores": len(os.sched_getaffinity(0)),
        "cpu_percent": round(100 * spent / watched, 1),
        "node_cpu_percent": round(100 * own / watched, 1),
        "status_p50_ms": round(quantiles(times, n=2)[0], 2),
        "status_p99_ms": round(quantiles(times, n=100)[98], 2),
        "status_max_ms": round(max(times), 2),
        "status_own_p50_ms": round(quantiles(own_times, n=2)[0], 2),
        "status_own_p99_ms": round(quantiles(own_times, n=100)[98], 2),
    }


def wait_until_at_work(node: Running) -> int:
    """Wait until every slot has played a part of its games, and return how many slots there are."""
    began = time.perf_counter()
    while time.perf_counter() - began < _WORK_LIMIT_S:
        slots = status(node.port)["slots"]
        if all(slot["work"] is not None and slot["work"]["done"] > 0 for slot in slots):
            return len(slots)
        time.sleep(0.05)
    raise SystemExit(f"bench: no work after {_WORK_LIMIT_S:.0f} s: {node.log.read_text()[-2000:]}")


def status(port: int) -> dict[str, Any]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    connection.request("GET", "/status")
    answer: dict[str, Any] = json.loads(connection.getresponse().read())
    connection.close()
    return answer


def own_seconds(pid: int) -> float:
    """Return the processor seconds of a node's own process, without its workers."""
    values = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(values[11]) + int(values[12])) / _TICKS


def thread_ms(pid: int) -> float:
    """Return the processor time of all threads of a process."""
    paths = Path(f"/proc/{pid}/task").glob("*/schedstat")
    return sum(int(path.read_text().split()[0]) for path in paths) / 1e6


def measure_finality(count: int, rate: float, seconds: float) -> dict[str, Any]:
    """Measure the time of transactions from `submit` to their place in the order, at the node that submitted them."""
    start_s = 5.0 + 2.0 * count
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as directory:
        words = (str(time.time() + start_s), str(seconds), str(rate))
        with swarm(Path(directory), count, words) as nodes:
            wait_until_ready(nodes, began)
            results = [node.data / _RESULT for node in nodes]
            time.sleep(max(0.0, began + start_s - time.perf_counter()))
            before, begin = [processor_seconds(node.process.pid) for node in nodes], time.perf_counter()
            while not all(path.exists() for path in results):
                time.sleep(0.2)
                if time.perf_counter() - begin > seconds + 60:
                    raise SystemExit(f"bench: no result: {nodes[0].log.read_text()[-2000:]}")
            spent = [processor_seconds(node.process.pid) for node in nodes]
            watched = time.perf_counter() - begin
            measured = [json.loads(path.read_text()) for path in results]
    waits = [wait for result in measured for wait in result["waits"]]
    percentiles = quantiles(waits, n=100)
    return {
        "nodes": count,
        "rate": rate,
        "transactions": len(waits),
        "unordered": sum(result["unordered"] for result in measured),
        "ready": all(result["ready"] for result in measured),
        "round_s": round(seconds / max(1.0, mean(result["rounds"] for result in measured)), 3),
        "finality_p50_s": round(percentiles[49], 3),
        "finality_p99_s": round(percentiles[98], 3),
        "cpu_percent": round(mean(100 * (b - a) / watched for a, b in zip(before, spent, strict=True)), 1),
    }


def main(argv: list[str]) -> int:
    arguments = parse(argv)
    if arguments.work:
        results = [measure_work(arguments.seconds)]
    elif arguments.submit is None:
        results = [measure(count, arguments.seconds) for count in arguments.nodes or (1, 4)]
    else:
        results = [measure_finality(count, arguments.submit, arguments.seconds) for count in arguments.nodes or (7,)]
    show_figures(results, as_json=arguments.json)
    return 0
