"""Measure, in virtual time, how long a swarm without faults takes to put a transaction in its final place.

Real node objects with the paces of production run on a simulated network. Computation takes no virtual time, so these
are the delays of gossip and of the rounds alone. The processor time that it took is measured, too, without checks of
signatures, which the nodes of one process share, and without TLS. Idle traffic is measured in the same swarms.
"""

from __future__ import annotations

import argparse
import logging
import math
import random
import runpy
import time
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from statistics import mean, quantiles
from typing import Any

import structlog
import trio
import trio.testing

from consensus.replica import RoundEffects
from consensus.settings import EpochSettings, Settings
from node.gossip.rhythm import Rhythm
from node.member.timing import CreationTiming
from node.simulation.run import make_deterministic
from node.simulation.swarm import SimulatedNode, SimulatedSwarm
from node.transport.memory import Conditions

show_figures = runpy.run_path(str(Path(__file__).parent / "_figures.py"))["show_figures"]

_START_S = 8.0  # until every node has met every other
_DRAIN_S = 8.0  # for the last transactions to reach their places
_IDLE_S = 60.0
_LINKS = {"lan": (0.001, 0.001), "wan": (0.050, 0.150)}  # seconds one way, drawn for each link


@dataclass(kw_only=True)
class Watched:
    """When transactions were submitted, and when the node that submitted them had them in the order."""

    submitted: dict[tuple[int, int], float] = field(default_factory=dict)
    seconds: list[float] = field(default_factory=list)
    rounds: list[int] = field(default_factory=list)  # round received - round created, of events with transactions
    decided: set[int] = field(default_factory=set)
    events: int = 0  # ordered, with transactions, while they were submitted
    closes: list[float] = field(default_factory=list)  # when node 0 closed epochs
    gaps: list[float] = field(default_factory=list)  # of node 0 between decided rounds while a transaction waited
    last: float = -math.inf  # when node 0 decided its last round

    def observe(self, node: SimulatedNode, effects: RoundEffects) -> None:
        """Take in a round that a node has decided."""
        self.decided.add(effects.round.number)
        if node.number == 0:
            self._time(effects)
        if node.member is None:
            return
        for place in effects.round.events:
            notes = [note["id"] for note in place.event.transactions if note["type"] == "note"]
            if place.event.creator != node.identity.id or not notes:
                continue
            replica = node.member.replica
            self.events += 1
            if place.event.hash in replica.dag:  # its epoch is still open
                created = replica.opening.round + replica.hashgraph.round_of(replica.dag.rows[place.event.hash])
                self.rounds.append(place.round - created)
            for number in notes:
                self.seconds.append(trio.current_time() - self.submitted.pop((node.number, number)))

    def _time(self, effects: RoundEffects) -> None:
        now = trio.current_time()
        if self.submitted:
            self.gaps.append(now - max(self.last, min(self.submitted.values())))
        if effects.closed is not None:
            self.closes.append(now)
        self.last = now


def parse(argv: list[str]) -> argparse.Namespace:
    purpose = (__doc__ or "").split("\n")[0]
    parser = argparse.ArgumentParser(prog="scripts/bench finality", description=purpose)
    parser.add_argument("--nodes", type=int, action="append", metavar="N", help="only swarms of N (4, 7, 10, 40)")
    parser.add_argument("--links", choices=_LINKS, action="append", help="only these delays")
    parser.add_argument("--rate", type=float, default=1.0, help="transactions a second of each node (1)")
    parser.add_argument("--seconds", type=float, default=20.0, help="virtual seconds under load (20)")
    parser.add_argument("--epoch", type=int, default=65_536, help="events after which an epoch closes (65536)")
    parser.add_argument("--json", action="store_true", help="print one object for programs")
    return parser.parse_args(argv)


def measure(nodes: int, links: str, rate: float, seconds: float, epoch: int, seed: int = 1) -> dict[str, Any]:
    make_deterministic(seed)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    clock = trio.testing.MockClock(autojump_threshold=0)
    run = partial(_measure, nodes, links, rate=rate, seconds=seconds, epoch=epoch, seed=seed)
    return trio.run(run, clock=clock)


async def _measure(nodes: int, links: str, rate: float, seconds: float, epoch: int, seed: int) -> dict[str, Any]:
    watched = Watched()
    settings = Settings(epoch=EpochSettings(events=epoch))
    swarm = SimulatedSwarm(
        nodes, seed, timing=CreationTiming(), rhythm=Rhythm(), observe=watched.observe, settings=settings
    )
    set_delays(swarm, *_LINKS[links], random.Random(seed))
    async with trio.open_nursery() as nursery:
        await nursery.start(swarm.run)
        await trio.sleep(_START_S)
        decided, begin, begun_cpu_s = len(watched.decided), trio.current_time(), time.process_time()
        before, made = replace(swarm.network.traffic), ordered(swarm)
        async with trio.open_nursery() as users:
            for node in swarm.nodes:
                chance = random.Random(f"{seed} {node.number}")
                users.start_soon(partial(submit_notes, node, watched, rate=rate, until=begin + seconds, chance=chance))
        rounds, cpu_s = len(watched.decided) - decided, time.process_time() - begun_cpu_s
        busy = replace(swarm.network.traffic)
        asked, size, made = busy.asked - before.asked, busy.bytes - before.bytes, ordered(swarm) - made
        await trio.sleep(_DRAIN_S)
        before, decided = replace(swarm.network.traffic), len(watched.decided)
        await trio.sleep(_IDLE_S)
        after, idle_rounds = swarm.network.traffic, len(watched.decided) - decided
        nursery.cancel_scope.cancel()
    p = quantiles(watched.seconds, n=100)
    return {
        "nodes": nodes,
        "links": links,
        "transactions": len(watched.seconds),
        "unordered": len(watched.submitted),
        "rounds_to_finality": round(mean(watched.rounds), 2),
        "round_s": round(seconds / max(rounds, 1), 3),
        "seconds_p50": round(p[49], 3),
        "seconds_p99": round(p[98], 3),
        "closes": len(watched.closes),
        "longest_gap_s": round(max(watched.gaps), 3),
        "transactions_per_event": round(len(watched.seconds) / watched.events, 2),
        "events_per_s": round(made / seconds / nodes, 2),
        "questions_per_s": round(asked / seconds / nodes, 2),
        "bytes_per_s": round(size / seconds / nodes),
        "cpu_ms_per_s": round(1000 * cpu_s / seconds / nodes, 1),
        "idle_rounds_per_min": round(60 * idle_rounds / _IDLE_S, 1),
        "idle_questions_per_s": round((after.asked - before.asked) / _IDLE_S / nodes, 3),
        "idle_bytes_per_s": round((after.bytes - before.bytes) / _IDLE_S / nodes),
    }


def ordered(swarm: SimulatedSwarm) -> int:
    """Return how many events have a place in the order of node 0."""
    member = swarm.nodes[0].member
    assert member is not None
    return member.replica.ledger.ordered


def set_delays(swarm: SimulatedSwarm, least: float, most: float, chance: random.Random) -> None:
    """Give each link its own delay, the same both ways, and each message up to a tenth more."""
    ids = [node.identity.id for node in swarm.nodes]
    for number, one in enumerate(ids):
        for other in ids[:number]:
            delay = chance.uniform(least, most)
            for source, target in ((one, other), (other, one)):
                swarm.network.set_conditions(source, target, Conditions(delay_s=delay, jitter_s=delay / 10))


async def submit_notes(node: SimulatedNode, watched: Watched, rate: float, until: float, chance: random.Random) -> None:
    """Submit notes to a node at random times until `until`."""
    number = 0
    while True:
        await trio.sleep(chance.expovariate(rate))
        if trio.current_time() >= until or node.member is None:
            return
        watched.submitted[node.number, number] = trio.current_time()
        node.member.submit([{"type": "note", "id": number, "text": "a transaction of usual size"}])
        number += 1


def main(argv: list[str]) -> int:
    arguments = parse(argv)
    results = [
        measure(nodes, links, arguments.rate, arguments.seconds, arguments.epoch)
        for links in arguments.links or _LINKS
        for nodes in arguments.nodes or (4, 7, 10, 40)
    ]
    show_figures(results, as_json=arguments.json)
    return 0
