"""Why an own event is on the disk before anybody sees it: a crash in between, with the right and the wrong order."""

import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from consensus.event import Event
from node.gossip.rhythm import Rhythm
from node.member.member import Member
from node.member.timing import CreationTiming
from node.simulation.invariants import AgreementCheck
from node.simulation.swarm import SimulatedNode, SimulatedSwarm
from node.store import Store
from node.store.memory import MemoryDisk


class ForgetfulDisk(MemoryDisk):
    """In a crash it forgets all that it may forget."""

    def crash(self, _chance: random.Random) -> int:
        class Lowest(random.Random):
            def randint(self, a: int, _b: int) -> int:
                return a

        return super().crash(Lowest())


class HastyStore:
    """Says that an own event is durable as soon as it was handed to the system: the mistake."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def append_own(self, event: Event) -> None:
        await self._store.append([event])


def hasty_member(**parts: Any) -> Member:
    return Member(**(parts | {"store": HastyStore(parts["store"])}))


class Swarm(SimulatedSwarm):
    """Four nodes, whose links can be cut by groups."""

    def __init__(self, make_member: Callable[..., Member]) -> None:
        timing = CreationTiming(busy_s=0.2, heartbeat_s=1.0, grace_s=1.0)
        super().__init__(4, 3, timing=timing, rhythm=Rhythm(), observe=AgreementCheck().observe)
        self.nodes[0].make_member = make_member
        self.nodes[0].disk = ForgetfulDisk()

    def connect(self, *groups: Sequence[int]) -> None:
        """From now on only those within one group hear each other."""
        calm = self.network.conditions(b"", b"")
        for source in self.nodes:
            for target in self.nodes:
                near = any(source.number in group and target.number in group for group in groups)
                self.network.set_conditions(source.identity.id, target.identity.id, replace(calm, cut=not near))

    def of_node_0(self, viewer: int) -> list[Event]:
        """The events of node 0 that another node has."""
        member = self.member(self.nodes[viewer])
        return [event for event in member.replica.dag.events if event.creator == self.nodes[0].identity.id]

    def sees_fork(self, viewer: int) -> bool:
        """Whether another node has seen node 0 fork: in the open epoch, or proven with the one before."""
        replica, accused = self.member(self.nodes[viewer]).replica, self.nodes[0].identity.id
        forkers = {replica.roster.ids[member] for member in replica.hashgraph.forkers()}
        return accused in forkers | {entry.member for entry in replica.ledger.convictions()}

    def member(self, node: SimulatedNode) -> Member:
        assert node.member is not None
        return node.member

    async def until(self, condition: Callable[[], bool]) -> None:
        with trio.fail_after(60):
            while not condition():
                await trio.sleep(0.05)


async def crash_between(nursery: trio.Nursery, make_member: Callable[..., Member]) -> bool:
    """Node 0 shows an event to node 3 alone and loses power; 3 is away when it is back. Returns whether 0 forked."""
    swarm = Swarm(make_member)
    await nursery.start(swarm.run)
    await trio.sleep(3)
    swarm.connect((0, 3), (1, 2))
    before = len(swarm.of_node_0(3))
    swarm.member(swarm.nodes[0]).submit([{"type": "note", "id": 1}])
    await swarm.until(lambda: len(swarm.of_node_0(3)) > before)
    swarm.crash(swarm.nodes[0])
    swarm.connect((0, 1, 2), (3,))
    await trio.sleep(1)
    await swarm.start(swarm.nodes[0])
    known = len(swarm.of_node_0(1))
    swarm.member(swarm.nodes[0]).submit([{"type": "note", "id": 2}])
    await swarm.until(lambda: len(swarm.of_node_0(1)) > known)
    swarm.connect((0, 1, 2, 3))
    await trio.sleep(15)
    return any(swarm.sees_fork(viewer) for viewer in (1, 3))


async def test_a_crash_between_sending_and_storing_forks_an_honest_node(
    nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    assert await crash_between(nursery, hasty_member), "the mistake must be seen"


async def test_an_event_that_is_stored_first_survives_the_crash(
    nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    assert not await crash_between(nursery, Member)


@pytest.mark.parametrize("seconds", [0.05, 0.4, 1.5])
async def test_a_slow_disk_is_waited_for_before_anybody_sees_the_event(
    nursery: trio.Nursery, autojump_clock: MockClock, seconds: float
) -> None:
    swarm = Swarm(Member)
    await nursery.start(swarm.run)
    await trio.sleep(3)
    disk = swarm.nodes[0].disk
    disk.sync_seconds = seconds
    swarm.member(swarm.nodes[0]).submit([{"type": "note", "id": 1}])
    for _ in range(60):
        await trio.sleep(0.1)
        durable = {raw for _, raw in disk.events[: disk.synced]}
        assert all(event.raw in durable for viewer in (1, 2, 3) for event in swarm.of_node_0(viewer))
