"""Whole swarms in virtual time: nodes that are new, or were away for epochs, come to the present by state sync."""

import random
from collections import Counter
from collections.abc import AsyncIterator, Callable

import pytest
import trio
from trio.testing import MockClock

from consensus.replica import RoundEffects
from consensus.settings import EpochSettings, Settings
from node.gossip.rhythm import Rhythm
from node.member.member import Member
from node.member.timing import CreationTiming
from node.simulation.invariants import AgreementCheck, HonestMembersCheck
from node.simulation.run import make_deterministic
from node.simulation.swarm import SimulatedNode, SimulatedSwarm
from node.store.memory import MemoryStore
from node.transport.memory import Conditions

TINY = Settings(epoch=EpochSettings(events=40))


def member_of(node: SimulatedNode) -> Member:
    assert node.member is not None
    return node.member


class World:
    """A swarm of five, its users, and what had a place in the order."""

    def __init__(self, seed: int, keep: int | None) -> None:
        make_deterministic(seed)
        self.agreement = AgreementCheck()
        self.chance = random.Random(seed)
        self.placed: Counter[tuple[bytes, int]] = Counter()
        self.put: set[tuple[bytes, int]] = set()
        self._seen = 0
        self._number = 0
        self.swarm = SimulatedSwarm(
            5,
            seed,
            timing=CreationTiming(),
            rhythm=Rhythm(),
            observe=self._see,
            settings=TINY,
            conditions=Conditions(delay_s=0.002, jitter_s=0.002),
        )
        self.swarm.keep = keep
        self.honesty = HonestMembersCheck(self.swarm)

    def _see(self, node: SimulatedNode, effects: RoundEffects) -> None:
        self.agreement.observe(node, effects)
        if effects.round.number > self._seen:
            self._seen = effects.round.number
            for place in effects.round.events:
                for entry in place.event.transactions:
                    if entry["type"] == "note":
                        self.placed[place.event.creator, entry["id"]] += 1

    @property
    def epoch(self) -> int:
        """The newest that somebody is in."""
        return max((node.member.replica.epoch_number for node in self.swarm.nodes if node.member), default=0)

    def submit(self, node: SimulatedNode) -> int:
        self._number += 1
        member_of(node).submit([{"type": "note", "id": self._number}])
        self.put.add((node.identity.id, self._number))
        return self._number

    async def use(self, enough: Callable[[], bool]) -> None:
        """The users of all nodes that are up put notes forward until it is enough."""
        with trio.fail_after(300):
            while not enough():
                await trio.sleep(self.chance.uniform(0.05, 0.2))
                up = [node for node in self.swarm.nodes if node.member is not None]
                self.submit(self.chance.choice(up))
                self.honesty.inspect()

    async def at_rest(self) -> None:
        """All are up, in one epoch, and nothing waits."""
        with trio.fail_after(120):
            while not self._same() or any(
                member_of(node).status().pending or member_of(node).replica.needs_rounds() for node in self.swarm.nodes
            ):
                await trio.sleep(0.2)
        self.honesty.inspect()

    def _same(self) -> bool:
        nodes = self.swarm.nodes
        if any(node.member is None for node in nodes):
            return False
        replicas = [member_of(node).replica for node in nodes]
        return len({(replica.epoch_digest, replica.ledger.round, replica.ledger.digest()) for replica in replicas}) == 1


@pytest.fixture
async def world(
    monkeypatch: pytest.MonkeyPatch, autojump_clock: MockClock, nursery: trio.Nursery
) -> AsyncIterator[World]:
    """Four nodes that run, and a fifth that has never been there."""
    monkeypatch.setattr("consensus.preimages.LENGTH", 1 << 12)
    world = World(7, keep=2)
    await nursery.start(world.swarm.run)
    late = world.swarm.nodes[4]
    world.swarm.crash(late)
    await trio.sleep(1)
    assert not late.disk.events
    yield world
    nursery.cancel_scope.cancel()


async def test_a_new_node_after_five_epochs_has_the_same_ledger(world: World, autojump_clock: MockClock) -> None:
    late = world.swarm.nodes[4]
    await world.use(lambda: world.epoch >= 5)
    await world.swarm.start(late)
    assert member_of(late).replica.epoch_number == 0
    await world.at_rest()
    assert member_of(late).replica.epoch_number == world.epoch >= 5
    store = MemoryStore(late.disk)
    chain = await store.read_sealed_records(1, 99)
    assert len(chain) >= 5
    assert await store.read_events(1, 0, 9) == [], "it never saw the events of the epochs before"
    for _ in range(5):
        world.submit(late)
    await world.use(lambda: world.epoch >= 7)
    await world.at_rest()
    assert set(world.placed) == world.put
    assert set(world.placed.values()) == {1}


async def test_a_node_away_for_three_epochs_puts_forward_again_what_had_no_place(
    world: World, autojump_clock: MockClock
) -> None:
    away = world.swarm.nodes[4]
    await world.swarm.start(away)
    await world.use(lambda: world.epoch >= 1)
    await world.at_rest()
    left = member_of(away).replica.epoch_number
    others = [node.identity.id for node in world.swarm.nodes[:4]]
    world.swarm.network.cut([away.identity.id], others)  # what it says is not heard any more
    said = set()
    for _ in range(3):
        said.add(world.submit(away))
        await trio.sleep(1)
    groups = member_of(away).replica.unreceived()
    cut_off = {entry["id"] for group in groups for entry in group}
    assert cut_off, "own events that nobody has seen"
    world.put -= {(away.identity.id, number) for number in said - cut_off}  # was in no event yet: is not owed
    world.swarm.crash(away)
    world.swarm.network.heal()
    await world.use(lambda: world.epoch >= left + 3)
    await world.swarm.start(away)
    await world.at_rest()
    assert member_of(away).replica.epoch_number >= left + 3
    await world.use(lambda: world.epoch >= left + 5)
    await world.at_rest()
    assert set(world.placed) == world.put
    assert set(world.placed.values()) == {1}


@pytest.mark.slow
async def test_crashes_while_it_catches_up_only_cost_time(world: World, autojump_clock: MockClock) -> None:
    late = world.swarm.nodes[4]
    await world.use(lambda: world.epoch >= 4)
    seen = set()
    for attempt in range(60):
        await world.swarm.start(late)
        await trio.sleep(1.9 + 0.01 * attempt)
        world.swarm.crash(late)
        await trio.sleep(0.01)
        seen.add((late.disk.epoch, len(late.disk.chain)))
        if late.disk.epoch:
            break
    assert len(seen) > 1
    assert late.disk.epoch >= 4
    await world.swarm.start(late)
    await world.at_rest()
    await world.use(lambda: world.epoch >= 6)
    await world.at_rest()
    assert set(world.placed) == world.put
    assert set(world.placed.values()) == {1}


@pytest.mark.slow
async def test_all_restart_and_the_one_that_jumped_teaches_the_next(world: World, autojump_clock: MockClock) -> None:
    late = world.swarm.nodes[4]
    await world.use(lambda: world.epoch >= 3)
    await world.swarm.start(late)
    await world.at_rest()
    for node in world.swarm.nodes:
        world.swarm.crash(node)
    await trio.sleep(1)
    for node in world.swarm.nodes:
        await world.swarm.start(node)
    await world.use(lambda: world.epoch >= 5)
    other = world.swarm.nodes[0]
    world.swarm.crash(other)
    await trio.sleep(0.1)
    await world.use(lambda: world.epoch >= 8)
    for node in world.swarm.nodes[1:4]:
        world.swarm.network.cut([node.identity.id], [other.identity.id])
    await world.swarm.start(other)
    await trio.sleep(60)
    assert member_of(other).replica.epoch_number == world.epoch, "it had nobody to ask but the one that had jumped"
    world.swarm.network.heal()
    await world.at_rest()
