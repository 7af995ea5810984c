"""Measure how many events a second are put in order: without and with signatures, in long runs, and in a replay.

An event goes all the way: from its bytes through decoding, the replica and the hashgraph into the ledger.
"One core" is processor time of one thread. "Node" is a node's own way: child processes check signatures on all
cores while the event loop orders. That is wall time, which means something only on an idle machine. "Cores" tells how
idle it was: how much faster bare checks were, in wall time, on all cores than on one.
"""

from __future__ import annotations

import argparse
import json
import os
import runpy
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from operator import truediv
from pathlib import Path
from statistics import median
from typing import Any

import trio
from rich.console import Console
from rich.table import Table

from consensus.event import Event, decode_event
from consensus.genesis import Genesis
from consensus.replica import Replica
from node.member.recovery import Recovery
from node.member.verification import ParallelVerifier
from node.member.verification_worker import all_signed
from node.store.sqlite import SqliteStore

RandomGossip = runpy.run_path(str(Path(__file__).parent / "_random_gossip.py"))["RandomGossip"]

_SYNC = 50  # events of a sync, after which the replica is asked for decided rounds
_MESSAGE = 1000  # events in the largest message to a node that catches up


def parse(argv: list[str]) -> argparse.Namespace:
    purpose = (__doc__ or "").split("\n")[0]
    parser = argparse.ArgumentParser(prog="scripts/bench consensus", description=purpose)
    parser.add_argument("--members", type=int, action="append", help="only swarms of this size (4, 10, 40, 100)")
    parser.add_argument("--other-parents", type=int, action="append", help="only this many in an event (1 to 4)")
    parser.add_argument("--events", type=int, default=5000, help="events in each measurement (5000)")
    parser.add_argument("--runs", type=int, default=3, help="runs of each measurement; the median counts (3)")
    parser.add_argument("--long", type=int, default=60_000, help="events of the long run (60000)")
    parser.add_argument("--json", action="store_true", help="print one object for programs")
    return parser.parse_args(argv)


def processor(work: Callable[[], object]) -> float:
    """Return the processor seconds that `work` takes in this process."""
    begin = time.process_time()
    work()
    return time.process_time() - begin


def clock(work: Callable[[], object]) -> float:
    """Return the seconds of wall time that `work` takes."""
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


def order(genesis: Genesis, events: Sequence[Event]) -> int:
    """Put decoded events in order; return how many have their place."""
    replica, ordered = Replica.found(genesis), 0
    for start in range(0, len(events), _SYNC):
        ordered += take(replica, events[start : start + _SYNC])
    return ordered


def take(replica: Replica, events: Sequence[Event]) -> int:
    replica.insert(events)
    return sum(len(result.round.events) for result in replica.advance())


def order_bytes(genesis: Genesis, raws: Sequence[bytes], signed: bool) -> None:
    """Decode events and put them in order, in one thread."""
    replica = Replica.found(genesis)
    for start in range(0, len(raws), _SYNC):
        events = [decode_event(raw, genesis.digest) for raw in raws[start : start + _SYNC]]
        if signed and not all(event.verify() for event in events):
            raise AssertionError("an event of our own does not verify")
        take(replica, events)


async def order_as_a_node(genesis: Genesis, raws: Sequence[bytes]) -> float:
    """Put events in order as a node that catches up does, and return the seconds of wall time.

    The event loop orders while child processes check the rest of a message; their start is not counted.
    """
    verifier = ParallelVerifier()
    await _follow(verifier, genesis, raws[:_MESSAGE])
    begin = time.perf_counter()
    await _follow(verifier, genesis, raws)
    seconds = time.perf_counter() - begin
    await verifier.aclose()
    return seconds


async def _follow(verifier: ParallelVerifier, genesis: Genesis, raws: Sequence[bytes]) -> None:
    replica = Replica.found(genesis)

    async def put_in_order(events: Sequence[Event]) -> None:
        take(replica, events)

    for start in range(0, len(raws), _MESSAGE):
        message = raws[start : start + _MESSAGE]
        await verifier.verify(message, replica.epoch_digest, replica.dag.rows.__contains__, put_in_order)


def measure(members: int, other_parents: int, count: int, runs: int) -> dict[str, Any]:
    gossip = RandomGossip(members, other_parents, signed=True)
    genesis, events = gossip.genesis, list(gossip.events(count))
    raws = [event.raw for event in events]

    def verify() -> None:
        all_signed(events)

    def verify_on_all_cores() -> None:
        cores = len(os.sched_getaffinity(0))
        with ThreadPoolExecutor(cores) as threads:  # they hold the interpreter's lock for a hundredth of the time
            list(threads.map(all_signed, [events[share::cores] for share in range(cores)]))

    times: dict[str, list[float]] = {}
    for _ in range(runs):  # in turn, so that all meet the same load
        for name, taken in (
            ("decoded", processor(lambda: order(genesis, events))),
            ("raw", processor(lambda: order_bytes(genesis, raws, signed=False))),
            ("signed", processor(lambda: order_bytes(genesis, raws, signed=True))),
            ("verify", processor(verify)),
            ("node", trio.run(order_as_a_node, genesis, raws)),
            ("verify_clock", clock(verify)),
            ("verify_cores", clock(verify_on_all_cores)),
        ):
            times.setdefault(name, []).append(taken)
    rate = {name: count / median(taken) for name, taken in times.items()}
    return {
        "kind": "order",
        "n": members,
        "other_parents": other_parents,
        "events": count,
        "ordered": order(genesis, events),
        "bytes_per_event": round(sum(map(len, raws)) / count),
        "events_per_s_decoded": round(rate["decoded"]),
        "events_per_s": round(rate["raw"]),
        "events_per_s_signed": round(rate["signed"]),
        "verify_per_s": round(rate["verify"]),
        "signed_of_verify": round(rate["signed"] / rate["verify"], 3),
        "node_events_per_s_signed": round(rate["node"]),
        "node_of_verify": round(median(map(truediv, times["verify_clock"], times["node"])), 3),
        "cores_of_verify": round(median(map(truediv, times["verify_clock"], times["verify_cores"])), 3),
    }


def grow(members: int, other_parents: int, count: int, runs: int) -> dict[str, Any]:
    """Measure the first and the last sixth of a long run in one epoch, from decoded events without signatures."""
    gossip = RandomGossip(members, other_parents, signed=False)
    events = list(gossip.events(count))
    part = count // 6 // _SYNC * _SYNC
    firsts, lasts = [], []
    for _ in range(runs):
        replica, times = Replica.found(gossip.genesis), []
        for start in range(0, count, _SYNC):
            some = events[start : start + _SYNC]
            times.append(processor(partial(take, replica, some)))
        firsts.append(sum(times[: part // _SYNC]))
        lasts.append(sum(times[-(part // _SYNC) :]))
    return {
        "kind": "growth",
        "n": members,
        "other_parents": other_parents,
        "events": count,
        "part": part,
        "first_per_s": round(part / median(firsts)),
        "last_per_s": round(part / median(lasts)),
    }


def replay(members: int, other_parents: int, count: int, runs: int) -> dict[str, Any]:
    """Measure the way from the store on disk back to the state before a restart, as a node goes it at its start."""
    gossip = RandomGossip(members, other_parents, signed=True)
    genesis, events = gossip.genesis, list(gossip.events(count))
    written, read, bare = [], [], []
    for _ in range(runs):
        with tempfile.TemporaryDirectory() as directory:
            taken = trio.run(_store_and_replay, Path(directory), genesis, events)
        written.append(taken[0])
        read.append(taken[1])
        bare.append(clock(lambda: all_signed(events)))
    return {
        "kind": "replay",
        "n": members,
        "other_parents": other_parents,
        "events": count,
        "stored_per_s": round(count / median(written)),
        "replayed_per_s": round(count / median(read)),
        "replayed_of_verify": round(median(map(truediv, bare, read)), 3),
    }


async def _store_and_replay(directory: Path, genesis: Genesis, events: Sequence[Event]) -> tuple[float, float]:
    """Return the seconds of wall time to store events and to replay them, with the start of the child processes."""
    member = genesis.members[0].id
    store = SqliteStore(directory, genesis=genesis.digest, member=member)
    begin = time.perf_counter()
    for start in range(0, len(events), _SYNC):
        await store.append(events[start : start + _SYNC])
    await store.aclose()
    written = time.perf_counter()
    store, verifier = SqliteStore(directory, genesis=genesis.digest, member=member), ParallelVerifier()
    replica = Replica.found(genesis)

    async def put_in_order(some: Sequence[Event]) -> None:
        take(replica, some)

    await Recovery(store, verifier, genesis).replay(replica.opening, put_in_order)
    read = time.perf_counter()
    await store.aclose()
    await verifier.aclose()
    assert len(replica.dag) == len(events)
    return written - begin, read - written


def show(results: Sequence[dict[str, Any]]) -> None:
    console = Console()
    names = ["N", "others", "decoded", "raw", "signed", "share", "node", "share", "cores", "size"]
    table = Table(*names, title="events a second, and their share of bare checks")
    for column in table.columns:
        column.justify = "right"
    for row in results:
        if row["kind"] == "order":
            speeds = [f"{row[key]:,}" for key in ("events_per_s_decoded", "events_per_s", "events_per_s_signed")]
            node = f"{row['node_events_per_s_signed']:,}"
            shares = [f"{row[key]:.0%}" for key in ("signed_of_verify", "node_of_verify")]
            table.add_row(
                str(row["n"]),
                str(row["other_parents"]),
                *speeds,
                shares[0],
                node,
                shares[1],
                f"{row['cores_of_verify']:.1f}",
                str(row["bytes_per_event"]),
            )
    console.print(table)
    for row in results:
        if row["kind"] == "growth":
            console.print(
                f"growth: {row['first_per_s']:,}/s over the first {row['part']:,} of {row['events']:,} events, "
                f"{row['last_per_s']:,}/s over the last (N = {row['n']})"
            )
        if row["kind"] == "replay":
            console.print(
                f"store: {row['stored_per_s']:,} events/s written in syncs of {_SYNC}, "
                f"{row['replayed_per_s']:,}/s replayed with signatures, {row['replayed_of_verify']:.0%} of bare checks "
                f"(N = {row['n']})"
            )


def main(argv: list[str]) -> int:
    arguments = parse(argv)
    sizes = arguments.members or [4, 10, 40, 100]
    results = [
        measure(members, other_parents, arguments.events, arguments.runs)
        for members in sizes
        for other_parents in arguments.other_parents or (1, 2, 3, 4)
        if other_parents < members
    ]
    typical = 40 if 40 in sizes else sizes[0]
    results.append(grow(typical, min(2, typical - 1), arguments.long, arguments.runs))
    results.append(replay(typical, min(2, typical - 1), arguments.long // 3, arguments.runs))
    if arguments.json:
        print(json.dumps({"results": results}))
    else:
        show(results)
    return 0
