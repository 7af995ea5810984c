"""Faults: how each fault of a schedule is caused and healed. Several can overlap."""

import random
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import trio

from node.simulation.churn import Churn
from node.simulation.machine import SimulatedNode
from node.simulation.schedule import Fault
from node.simulation.swarm import SimulatedSwarm
from node.transport.memory import Conditions

_YEAR_NS = 365 * 86_400 * 10**9
_SKEW_RANGE_NS = 600 * 10**9  # a skewed clock is off by up to five minutes to either side
_MAX_FLAP_S = 1.5  # that a flapping node is up, or down
_DOWN = ("crash", "flap")
_ON_LINKS = ("loss", "delay", "duplicate", "reorder", "partition", "oneway", "split")


class Faults:
    """Causes the faults of a swarm. The effects of several on one thing add up: a link that any of them cuts is cut."""

    def __init__(self, swarm: SimulatedSwarm, churn: Churn, seed: int, hidden: Sequence[int] = ()) -> None:
        """Prepare to cause faults; the nodes with the numbers in `hidden` cannot be reached, and this never heals."""
        self._swarm, self._churn, self._hidden = swarm, churn, hidden
        self._random = random.Random(f"flaps {seed}")
        self._active: list[Fault] = []
        self._on_links: object = None  # the faults of links, and the keys, for which the network is set
        self._default = swarm.network.conditions(b"", b"")

    async def cause(self, faults: Sequence[Fault]) -> None:
        """Cause each fault at its time; return when all are over and all nodes are up."""
        start = trio.current_time()
        self._set_network()
        async with trio.open_nursery() as nursery:
            for fault in faults:
                nursery.start_soon(self._cause, fault, start)

    async def _cause(self, fault: Fault, start: float) -> None:
        await trio.sleep_until(start + fault.at)
        over = trio.current_time() + fault.lasts
        self._active.append(fault)
        await self._apply_active()
        await self._set_duplicated(fault, True)
        await self._churn.begin(fault)
        while fault.kind == "flap" and trio.current_time() < over:
            await trio.sleep(min(self._random.random() * _MAX_FLAP_S, over - trio.current_time()))
            self._active.remove(fault)
            await self._apply_active()
            await trio.sleep(self._random.random() * _MAX_FLAP_S)
            self._active.append(fault)
            await self._apply_active()
        await trio.sleep_until(over)
        self._active.remove(fault)
        await self._set_duplicated(fault, False)
        await self._churn.end(fault)
        await self._apply_active()

    async def follow_up(self) -> None:
        """Let machines that have another key by now meet the same conditions as before. To be called repeatedly."""
        if await self._churn.follow_up():
            await self._apply_active()

    async def _apply_active(self) -> None:
        """Put the network and all machines into the state that the active faults ask for."""
        self._set_network()
        for node in self._swarm.nodes:
            self._set_machine(node, [fault for fault in self._active if node.number in fault.nodes])
        for node in self._swarm.nodes:
            if node.installed and not node.running and not self._wants_down(node):
                await self._swarm.start(node)

    async def _set_duplicated(self, fault: Fault, duplicated: bool) -> None:
        if fault.kind == "split":
            for node in self._swarm.nodes:
                await self._swarm.set_duplicated(node, duplicated)

    def _wants_down(self, node: SimulatedNode) -> bool:
        return any(fault.kind in _DOWN and node.number in fault.nodes for fault in self._active)

    def _set_machine(self, node: SimulatedNode, faults: Sequence[Fault]) -> None:
        node.clock.skew_ns = sum(_skew_ns(fault) for fault in faults)
        node.disk.sync_seconds = sum(fault.strength for fault in faults if fault.kind == "slowdisk")
        bad = [fault.strength for fault in faults if fault.kind == "baddisk"]
        node.disk.full = any(strength < 0.5 for strength in bad)
        node.disk.unsyncable = any(strength >= 0.5 for strength in bad)
        if node.running and any(fault.kind in _DOWN for fault in faults):
            self._swarm.crash(node)

    def _set_network(self) -> None:
        """Set how the links fare, if other faults of links are active than before, or machines have other keys."""
        network, nodes = self._swarm.network, self._swarm.nodes
        faults = [fault for fault in self._active if fault.kind in _ON_LINKS]
        state = faults, [node.identity.id for node in nodes]
        if state == self._on_links:
            return
        self._on_links = state
        network.hidden = [nodes[number].identity.id for number in self._hidden]
        for source in nodes:
            for target in nodes:
                conditions = self._conditions(faults, source.number, target.number)
                network.set_conditions(source.identity.id, target.identity.id, conditions)

    def _conditions(self, faults: Sequence[Fault], source: int, target: int) -> Conditions:
        changed: dict[str, Any] = {}
        for fault in faults:
            if self._cuts(fault, source, target):
                changed["cut"] = True
            elif source in fault.nodes or target in fault.nodes:
                changed |= _changed_conditions(fault)
        return replace(self._default, **changed) if changed else self._default

    def _cuts(self, fault: Fault, source: int, target: int) -> bool:
        """Return whether the fault cuts the link from `source` to `target`."""
        match fault.kind:
            case "partition":
                return (source in fault.nodes) != (target in fault.nodes)
            case "oneway":
                return source in fault.nodes and target not in fault.nodes
            case "split":
                return (source - target) % 2 == 1 and self._is_honest(source) and self._is_honest(target)
        return False

    def _is_honest(self, number: int) -> bool:
        return self._swarm.nodes[number].honest


def _changed_conditions(fault: Fault) -> dict[str, Any]:
    """Return the conditions of a link that are others if the fault affects one of its ends."""
    match fault.kind:
        case "loss":
            return {"loss": 0.5 * fault.strength}
        case "delay":
            return {"delay_s": fault.strength, "jitter_s": 2 * fault.strength}
        case "duplicate":
            return {"duplicate": fault.strength}
        case "reorder":
            return {"held": fault.strength}
    return {}


def _skew_ns(fault: Fault) -> int:
    """Return what the fault adds to its nodes' clocks."""
    if fault.kind == "jump":
        return _YEAR_NS if fault.strength < 0.5 else -_YEAR_NS
    return round((fault.strength - 0.5) * _SKEW_RANGE_NS) if fault.kind == "skew" else 0
