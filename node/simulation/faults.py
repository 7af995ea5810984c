"""Faults: how each of a schedule is brought about and healed. Several can overlap."""

import random
from collections.abc import Sequence
from dataclasses import replace

import trio

from node.simulation.churn import Churn
from node.simulation.schedule import Fault
from node.simulation.swarm import SimulatedNode, SimulatedSwarm
from node.transport.memory import Conditions

YEAR_NS = 365 * 86_400 * 10**9

_SKEW_NS = 600 * 10**9  # the most that a skewed clock is off: five minutes to either side
_FLAP = 1.5  # seconds at most that a flapping node is up, or down


class Faults:
    """Lets faults happen to a swarm. What several do to one thing adds up: a link that any cuts is cut."""

    def __init__(self, swarm: SimulatedSwarm, churn: Churn, seed: int) -> None:
        self._swarm, self._churn = swarm, churn
        self._random = random.Random(f"flaps {seed}")
        self._active: list[Fault] = []
        self._calm = swarm.network.conditions(b"", b"")
        self.happened = 0

    async def happen(self, faults: Sequence[Fault]) -> None:
        """Brings all of them about, each at its time; returns when all are over and all nodes are up."""
        start = trio.current_time()
        async with trio.open_nursery() as nursery:
            for fault in faults:
                nursery.start_soon(self._happen, fault, start)

    async def _happen(self, fault: Fault, start: float) -> None:
        await trio.sleep_until(start + fault.at)
        self.happened += 1
        over = trio.current_time() + fault.lasts
        self._active.append(fault)
        await self._set()
        await self._set_lives(fault, twice=True)
        await self._churn.begin(fault)
        while fault.kind == "flap" and trio.current_time() < over:
            await trio.sleep(min(self._random.random() * _FLAP, over - trio.current_time()))
            self._active.remove(fault)
            await self._set()
            await trio.sleep(self._random.random() * _FLAP)
            self._active.append(fault)
            await self._set()
        await trio.sleep_until(over)
        self._active.remove(fault)
        await self._set_lives(fault, twice=False)
        await self._churn.end(fault)
        await self._set()

    async def follow(self) -> None:
        """Whoever has another key by now meets the same conditions as before. To be called again and again."""
        if await self._churn.look():
            await self._set()

    async def _set(self) -> None:
        """Makes everything as the active faults want it."""
        self._set_network()
        for node in self._swarm.nodes:
            self._set_machine(node, [fault for fault in self._active if node.number in fault.nodes])
        for node in self._swarm.nodes:
            if node.installed and not node.running and not self._wants_down(node):
                await self._swarm.start(node)

    async def _set_lives(self, fault: Fault, *, twice: bool) -> None:
        if fault.kind == "split":
            for node in self._swarm.nodes:
                await self._swarm.live_twice(node, twice)

    def _wants_down(self, node: SimulatedNode) -> bool:
        kinds = ("crash", "flap")
        return any(fault.kind in kinds and node.number in fault.nodes for fault in self._active)

    def _set_machine(self, node: SimulatedNode, faults: Sequence[Fault]) -> None:
        skews = [_skew(fault) for fault in faults]
        node.clock.skew_ns = sum(skews)
        node.disk.sync_seconds = sum(fault.strength for fault in faults if fault.kind == "slowdisk")
        bad = [fault.strength for fault in faults if fault.kind == "baddisk"]
        node.disk.full = any(strength < 0.5 for strength in bad)
        node.disk.unsyncable = any(strength >= 0.5 for strength in bad)
        if node.running and any(fault.kind in ("crash", "flap") for fault in faults):
            self._swarm.crash(node)

    def _set_network(self) -> None:
        network, numbers = self._swarm.network, range(len(self._swarm.nodes))
        for source in numbers:
            for target in numbers:
                conditions = self._conditions(source, target)
                here, there = self._swarm.nodes[source].identity.id, self._swarm.nodes[target].identity.id
                network.set_conditions(here, there, conditions)

    def _conditions(self, source: int, target: int) -> Conditions:
        conditions = self._calm
        for fault in self._active:
            inside, strength = (source in fault.nodes, target in fault.nodes), fault.strength
            apart = fault.kind == "partition" and inside[0] != inside[1]
            mute = fault.kind == "oneway" and inside == (True, False)
            torn = fault.kind == "split" and (source - target) % 2 == 1 and self._honest(source, target)
            if apart or mute or torn:
                conditions = replace(conditions, cut=True)
            elif fault.kind == "loss" and any(inside):
                conditions = replace(conditions, loss=0.5 * strength)
            elif fault.kind == "delay" and any(inside):
                conditions = replace(conditions, delay_s=strength, jitter_s=2 * strength)
            elif fault.kind == "duplicate" and any(inside):
                conditions = replace(conditions, duplicate=strength)
            elif fault.kind == "reorder" and any(inside):
                conditions = replace(conditions, held=strength)
        return conditions

    def _honest(self, *numbers: int) -> bool:
        return all(self._swarm.nodes[number].honest for number in numbers)


def _skew(fault: Fault) -> int:
    """What the fault adds to its nodes' clocks, ns."""
    if fault.kind == "jump":
        return YEAR_NS if fault.strength < 0.5 else -YEAR_NS
    return round((fault.strength - 0.5) * _SKEW_NS) if fault.kind == "skew" else 0
