"""Idle, busy, slow and cut-off swarms in virtual time: events are made when they are of use, and not otherwise."""

from dataclasses import dataclass, field, replace
from statistics import median

import trio
from trio.testing import MockClock

from consensus.replica import RoundEffects
from node.gossip.rhythm import Rhythm
from node.member.member import Member
from node.member.timing import CreationTiming
from node.member.transaction_pool import BacklogError
from node.simulation.swarm import SimulatedNode, SimulatedSwarm
from node.transport.memory import Conditions

COUNT = 7
MEET_S = 8.0  # until everybody knows everybody, and has come to rest


@dataclass
class Watched:
    """What was decided at node 0, and how long each node's transactions took to come back to it."""

    rounds: int = 0
    submitted: dict[tuple[int, int], float] = field(default_factory=dict)
    waits: list[float] = field(default_factory=list)
    filled: list[int] = field(default_factory=list)  # transactions of each ordered event that has any

    def see(self, node: SimulatedNode, effects: RoundEffects) -> None:
        self.rounds += node.number == 0
        for place in effects.round.events:
            notes = [note["id"] for note in place.event.transactions if note["type"] == "note"]
            if place.event.creator == node.identity.id and notes:
                self.filled.append(len(notes))
                for number in notes:
                    self.waits.append(trio.current_time() - self.submitted.pop((node.number, number)))

    async def use(self, node: SimulatedNode, every: float, until: float) -> None:
        number = 0
        while trio.current_time() < until:
            self.submitted[node.number, number] = trio.current_time()
            member_of(node).submit([{"type": "note", "id": number, "text": "a transaction of usual size"}])
            number += 1
            await trio.sleep(every)


def member_of(node: SimulatedNode) -> Member:
    assert node.member is not None
    return node.member


def make_swarm(watched: Watched, conditions: Conditions | None = None) -> SimulatedSwarm:
    return SimulatedSwarm(
        COUNT, 5, timing=CreationTiming(), rhythm=Rhythm(), observe=watched.see, conditions=conditions
    )


def events_by(swarm: SimulatedSwarm, node: SimulatedNode) -> int:
    newest = member_of(node).replica.newest(node.identity.id)
    return 0 if newest is None else newest.seq + 1


async def test_an_idle_swarm_stays_alive_with_little_traffic(nursery: trio.Nursery, autojump_clock: MockClock) -> None:
    watched = Watched()
    swarm = make_swarm(watched)
    await nursery.start(swarm.run)
    await trio.sleep(MEET_S)
    before, rounds = replace(swarm.network.traffic), watched.rounds
    made = sum(events_by(swarm, node) for node in swarm.nodes)
    await trio.sleep(120)
    traffic = swarm.network.traffic
    each_second = 120 * COUNT
    assert traffic.asked - before.asked <= 1.1 * each_second
    assert traffic.bytes - before.bytes <= 2000 * each_second
    assert sum(events_by(swarm, node) for node in swarm.nodes) - made <= 120 / 5 * COUNT + COUNT  # heartbeats
    assert watched.rounds - rounds >= 6  # consensus time goes on
    for node in swarm.nodes:
        assert node.gossip is not None
        assert node.gossip.is_caught_up()
        assert all(status.state == "ok" for status in node.gossip.statuses())


async def test_a_transaction_has_its_place_within_a_second(nursery: trio.Nursery, autojump_clock: MockClock) -> None:
    watched = Watched()
    swarm = make_swarm(watched, Conditions(delay_s=0.001, jitter_s=0.0001))
    await nursery.start(swarm.run)
    await trio.sleep(MEET_S)
    before, seconds = swarm.network.traffic.asked, 8
    async with trio.open_nursery() as users:
        for node in swarm.nodes:
            users.start_soon(watched.use, node, 1.0 + node.number / 10, trio.current_time() + seconds)
    assert (swarm.network.traffic.asked - before) / seconds / COUNT < 1.25 / Rhythm().busy_s  # linear in the members
    await trio.sleep(2)
    assert not watched.submitted
    assert median(watched.waits) < 0.8  # 0.6 was seen; 1.4 while own events came each 0.2 s, whoever asked
    assert max(watched.waits) < 1.2


async def test_a_busy_swarm_fills_its_events(nursery: trio.Nursery, autojump_clock: MockClock) -> None:
    watched = Watched()
    swarm = make_swarm(watched)
    await nursery.start(swarm.run)
    await trio.sleep(MEET_S)
    async with trio.open_nursery() as users:
        for node in swarm.nodes:
            users.start_soon(watched.use, node, 1 / 50, trio.current_time() + 6)
    await trio.sleep(5)
    assert not watched.submitted  # 350 a second, all ordered
    assert len(watched.waits) >= 6 * 50 * COUNT
    assert sum(watched.filled) / len(watched.filled) > 7  # of the 10 that come in while an event must wait
    assert max(watched.waits) < 3


async def test_a_slow_member_is_not_starved(nursery: trio.Nursery, autojump_clock: MockClock) -> None:
    """Its messages take a second and its events come late; still others build on each within seconds."""
    watched = Watched()
    swarm = make_swarm(watched)
    slow = swarm.nodes[-1]
    for node in swarm.nodes[:-1]:
        for ends in ((slow, node), (node, slow)):
            source, target = (end.identity.id for end in ends)
            swarm.network.set_conditions(source, target, Conditions(delay_s=1.0, jitter_s=0.2))
    await nursery.start(swarm.run)
    await trio.sleep(MEET_S)
    async with trio.open_nursery() as users:
        for node in swarm.nodes:
            users.start_soon(watched.use, node, 0.5, trio.current_time() + 20)
    await trio.sleep(15)
    assert not watched.submitted
    dag = member_of(swarm.nodes[0]).replica.dag
    mine = [event for event in dag.events if event.creator == slow.identity.id and event.transactions]
    assert len(mine) >= 10
    built_on: dict[bytes, int] = {}  # ns
    for event in dag.events:
        for parent in event.other_parents:
            built_on[parent] = min(event.time, built_on.get(parent, event.time))
    # An event that is not itself a parent is below a later one that is.
    waits, found = [], None
    for event in reversed(mine):
        found = built_on.get(event.hash, found)
        if found is not None:
            waits.append((found - event.time) / 1e9)
    assert len(waits) >= len(mine) - 6  # the last ones are not built on yet
    assert max(waits) <= 5.0  # of which the message itself takes 1 to 1.2
    assert max(watched.waits) < 8


async def test_a_cut_off_minority_stops_and_goes_on_when_it_is_back(
    nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    watched = Watched()
    swarm = make_swarm(watched)
    await nursery.start(swarm.run)
    await trio.sleep(MEET_S)
    few, many = swarm.nodes[:2], swarm.nodes[2:]
    ids = [[node.identity.id for node in side] for side in (few, many)]
    swarm.network.cut(ids[0], ids[1])
    swarm.network.cut(ids[1], ids[0])
    for node in few:
        watched.submitted[node.number, 1] = trio.current_time()
        member_of(node).submit([{"type": "note", "id": 1}])
    before = [events_by(swarm, node) for node in few]
    await trio.sleep(60)
    stopped = [events_by(swarm, node) for node in few]
    assert all(after - earlier <= 8 for after, earlier in zip(stopped, before, strict=True))
    await trio.sleep(240)
    assert [events_by(swarm, node) for node in few] == stopped
    going = [events_by(swarm, node) for node in many]
    assert min(going) > 28  # 5 of 7 are a quorum
    swarm.network.heal()
    await trio.sleep(90)
    assert not watched.submitted
    assert all(events_by(swarm, node) > earlier for node, earlier in zip(few, stopped, strict=True))


async def test_who_cannot_get_rid_of_transactions_is_told_so(nursery: trio.Nursery, autojump_clock: MockClock) -> None:
    """Alone, a node takes as much as its queue and one event hold, and uses no memory beyond that."""
    watched = Watched()
    swarm = make_swarm(watched)
    await nursery.start(swarm.run)
    await trio.sleep(MEET_S)
    alone = swarm.nodes[0]
    others = [node.identity.id for node in swarm.nodes[1:]]
    swarm.network.cut([alone.identity.id], others)
    swarm.network.cut(others, [alone.identity.id])
    taken = await submit_until_refused(alone, watched)
    assert 16 * 2**20 / 190_000 - 2 <= taken <= 16 * 2**20 / 190_000 + 12
    full = member_of(alone).status().pending
    swarm.network.heal()
    await trio.sleep(30)  # it listens first: it heard from nobody for long
    assert member_of(alone).status().pending < full - 10


async def submit_until_refused(node: SimulatedNode, watched: Watched) -> int:
    for number in range(1000):
        watched.submitted[node.number, number] = trio.current_time()
        try:
            member_of(node).submit([{"type": "note", "id": number, "text": "x" * 190_000}])
        except BacklogError as error:
            return number if "is there a quorum" in str(error) else 0
        await trio.sleep(1)
    raise AssertionError("a queue without bounds")
