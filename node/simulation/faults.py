"""Faults: a schedule drawn from a seed, and how each is brought about and healed."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace

import trio

from node.simulation.swarm import SimulatedNode, SimulatedSwarm
from node.transport.memory import Conditions

KINDS = ("loss", "delay", "duplicate", "partition", "oneway", "crash", "skew", "slowdisk")


@dataclass(frozen=True)
class Fault:
    """Something that goes wrong at `at` and is over `lasts` seconds later. `nodes` are numbers."""

    kind: str
    at: float
    lasts: float
    nodes: tuple[int, ...]
    strength: float  # 0..1; what it means depends on the kind

    def __str__(self) -> str:
        when = f"from {self.at:.2f} s for {self.lasts:.2f} s"
        return f"{self.kind} of {','.join(map(str, self.nodes))} {when}, strength {self.strength:.2f}"


def draw_faults(seed: int, nodes: int, seconds: float, kinds: Sequence[str] = KINDS) -> list[Fault]:
    """A schedule of faults of these kinds that all are over after `seconds`."""
    chance = random.Random(f"faults {seed}")
    faults = []
    for _ in range(round(seconds / 3) if kinds else 0):
        at = chance.uniform(0, 0.8 * seconds)
        lasts = min(chance.uniform(0.5, 0.4 * seconds), seconds - at)
        some = tuple(sorted(chance.sample(range(nodes), chance.randint(1, max(1, nodes - 1)))))
        faults.append(Fault(chance.choice(kinds), at, lasts, some, chance.random()))
    return sorted(faults, key=lambda fault: fault.at)


class Faults:
    """Lets faults happen to a swarm. Several can overlap; a link that any of them cuts is cut."""

    def __init__(self, swarm: SimulatedSwarm) -> None:
        self._swarm = swarm
        self._active: list[Fault] = []
        self._calm = swarm.network.conditions(b"", b"")

    async def happen(self, faults: Sequence[Fault]) -> None:
        """Brings all of them about, each at its time; returns when all are over."""
        start = trio.current_time()
        async with trio.open_nursery() as nursery:
            for fault in faults:
                nursery.start_soon(self._happen, fault, start)

    async def _happen(self, fault: Fault, start: float) -> None:
        await trio.sleep_until(start + fault.at)
        nodes = [self._swarm.nodes[number] for number in fault.nodes]
        if fault.kind == "crash":
            await self._crash(nodes, fault.lasts)
        elif fault.kind in ("skew", "slowdisk"):
            await self._trouble(nodes, fault)
        else:
            self._active.append(fault)
            self._set_network()
            await trio.sleep(fault.lasts)
            self._active.remove(fault)
            self._set_network()

    async def _crash(self, nodes: Sequence[SimulatedNode], lasts: float) -> None:
        up = [node for node in nodes if node.member is not None]
        for node in up:
            self._swarm.crash(node)
        await trio.sleep(lasts)
        for node in up:
            await self._swarm.start(node)

    async def _trouble(self, nodes: Sequence[SimulatedNode], fault: Fault) -> None:
        for node in nodes:
            if fault.kind == "skew":
                node.clock.skew_ns += round((fault.strength - 0.5) * 600e9)
            else:
                node.disk.sync_seconds = fault.strength
        await trio.sleep(fault.lasts)
        for node in nodes:
            node.clock.skew_ns, node.disk.sync_seconds = 0, 0.0

    def _set_network(self) -> None:
        network, numbers = self._swarm.network, range(len(self._swarm.nodes))
        for source in numbers:
            for target in numbers:
                conditions = self._conditions(source, target)
                network.set(
                    self._swarm.nodes[source].identity.id, self._swarm.nodes[target].identity.id, conditions
                )

    def _conditions(self, source: int, target: int) -> Conditions:
        conditions = self._calm
        for fault in self._active:
            inside, strength = (source in fault.nodes, target in fault.nodes), fault.strength
            apart = fault.kind == "partition" and inside[0] != inside[1]
            mute = fault.kind == "oneway" and inside == (True, False)
            if apart or mute:
                conditions = replace(conditions, cut=True)
            elif fault.kind == "loss" and any(inside):
                conditions = replace(conditions, loss=0.5 * strength)
            elif fault.kind == "delay" and any(inside):
                conditions = replace(conditions, delay=strength, jitter=2 * strength)
            elif fault.kind == "duplicate" and any(inside):
                conditions = replace(conditions, duplicate=strength)
        return conditions
