"""Whole swarms in virtual time through many short epochs: crashes at the close, late nodes, the pause it makes."""

import random
from collections import Counter

import pytest
import trio
from trio.testing import MockClock

from consensus.ledger.records import transactions as t
from consensus.ledger.records.changes import Change
from consensus.replica import RoundEffects
from consensus.settings import EpochSettings, Settings
from node.gossip.rhythm import Rhythm
from node.member.member import Member
from node.member.timing import CreationTiming
from node.simulation.invariants import AgreementCheck, HonestMembersCheck
from node.simulation.run import make_deterministic
from node.simulation.swarm import SimulatedNode, SimulatedSwarm
from node.transport.memory import Conditions

EVENTS = 40
TINY = Settings(epoch=EpochSettings(events=EVENTS))


class Watch:
    """What all nodes agree on, when epochs closed, and which transactions had a place."""

    def __init__(self) -> None:
        self.agreement = AgreementCheck()
        self.closed: dict[int, list[float]] = {}  # by epoch that begins: when each node closed the one before
        self.decided: list[float] = []  # at node 0
        self.notes: Counter[tuple[bytes, int]] = Counter()
        self.seen = 0

    def see(self, node: SimulatedNode, effects: RoundEffects) -> None:
        self.agreement.observe(node, effects)
        if effects.closed is not None:
            self.closed.setdefault(effects.closed.record.number, []).append(trio.current_time())
        if node.number == 0:
            self.decided.append(trio.current_time())
        if effects.round.number > self.seen:
            self.seen = effects.round.number
            for place in effects.round.events:
                for entry in place.event.transactions:
                    if entry["type"] == "note":
                        self.notes[place.event.creator, entry["id"]] += 1


def make_swarm(count: int, seed: int, watch: Watch, settings: Settings = TINY) -> SimulatedSwarm:
    make_deterministic(seed)
    return SimulatedSwarm(
        count,
        seed,
        timing=CreationTiming(),
        rhythm=Rhythm(),
        observe=watch.see,
        settings=settings,
        conditions=Conditions(delay_s=0.002, jitter_s=0.002),
    )


def member_of(node: SimulatedNode) -> Member:
    assert node.member is not None
    return node.member


async def use(swarm: SimulatedSwarm, chance: random.Random, put: set[tuple[bytes, int]], until: float) -> None:
    """Users of all nodes put notes forward. What a crash takes before it was in an event is not owed."""
    numbers = Counter[int]()
    while trio.current_time() < until:
        await trio.sleep(chance.uniform(0.05, 0.3))
        node = chance.choice(swarm.nodes)
        if node.member is not None:
            numbers[node.number] += 1
            node.member.submit([{"type": "note", "id": numbers[node.number]}])
            put.add((node.identity.id, numbers[node.number]))


async def at_rest(swarm: SimulatedSwarm) -> None:
    with trio.fail_after(60):
        while (
            any(
                node.member is None or node.member.status().pending or node.member.replica.needs_rounds()
                for node in swarm.nodes
            )
            or len({member_of(node).replica.ledger.round for node in swarm.nodes}) > 1
        ):
            await trio.sleep(0.1)


def same_everywhere(swarm: SimulatedSwarm) -> None:
    replicas = [member_of(node).replica for node in swarm.nodes]
    assert len({replica.epoch_digest for replica in replicas}) == 1
    assert len({replica.ledger.digest() for replica in replicas}) == 1


@pytest.mark.parametrize("count", [1, 2, 4, pytest.param(7, marks=pytest.mark.slow)])
async def test_epochs_go_by_and_nothing_is_lost_nor_done_twice(
    count: int, autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    watch, put = Watch(), set[tuple[bytes, int]]()
    swarm = make_swarm(count, count, watch)
    await nursery.start(swarm.run)
    honesty = HonestMembersCheck(swarm)
    await use(swarm, random.Random(count), put, 25)
    await at_rest(swarm)
    honesty.inspect()
    same_everywhere(swarm)
    assert len(watch.closed) >= 2
    assert set(watch.notes) == put
    assert set(watch.notes.values()) == {1}
    assert all(len(times) == count for times in watch.closed.values())


@pytest.mark.slow
async def test_the_pause_at_a_close_is_short(autojump_clock: MockClock, nursery: trio.Nursery) -> None:
    """Virtual seconds on a LAN between the closing round and the next one, under load."""
    watch = Watch()
    swarm = make_swarm(7, 3, watch)
    await nursery.start(swarm.run)
    await use(swarm, random.Random(3), set(), 25)
    assert len(watch.closed) >= 3
    pauses = []
    for times in watch.closed.values():
        later = [moment for moment in watch.decided if moment > min(times)]
        if later:
            pauses.append(min(later) - min(times))
    assert max(pauses) < 2.0
    print("pauses at a close, virtual seconds:", [round(pause, 2) for pause in pauses])


@pytest.mark.parametrize("seed", range(2))
async def test_crashes_at_the_close_neither_fork_nor_lose(
    seed: int, autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    chance, watch = random.Random(seed), Watch()
    swarm = make_swarm(4, 100 + seed, watch)
    honesty = HonestMembersCheck(swarm)
    await nursery.start(swarm.run)
    put = set[tuple[bytes, int]]()

    async def crash() -> None:
        """Whoever is about to close, or has just closed."""
        while True:
            await trio.sleep(0.02)
            for node in swarm.nodes:
                up = node.member is not None and not node.member.status().listening
                if up and chance.random() < 0.1 and near_close(node):
                    swarm.crash(node)
                    await trio.sleep(chance.uniform(0.1, 2))
                    await swarm.start(node)
            honesty.inspect()

    async with trio.open_nursery() as inner:
        inner.start_soon(crash)
        await use(swarm, chance, put, 30)
        inner.cancel_scope.cancel()
    for node in swarm.nodes:
        if node.member is None:
            await swarm.start(node)
    await at_rest(swarm)
    honesty.inspect()
    same_everywhere(swarm)
    assert sum(node.starts for node in swarm.nodes) > 8
    assert len(watch.closed) >= 2
    assert set(watch.notes) <= put
    assert set(watch.notes.values()) == {1}


async def test_what_waits_at_a_close_survives_it_and_the_next_one_and_a_crash(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    watch = Watch()
    swarm = make_swarm(4, 12, watch)
    await nursery.start(swarm.run)
    node = swarm.nodes[3]
    await trio.sleep(5)
    member_of(node).health.waiting = 10**6  # so that it makes no own event
    member_of(node).submit([{"type": "note", "id": 1000}])
    number, notes = member_of(node).replica.epoch_number, 0
    with trio.fail_after(60):
        while member_of(node).replica.epoch_number < number + 2:
            notes += 1
            member_of(swarm.nodes[notes % 3]).submit([{"type": "note", "id": notes}])
            await trio.sleep(0.1)
    swarm.crash(node)
    await trio.sleep(1)
    await swarm.start(node)
    await at_rest(swarm)
    assert watch.notes[node.identity.id, 1000] == 1


def near_close(node: SimulatedNode) -> bool:
    replica = member_of(node).replica
    received = replica.ledger.ordered - replica.opening.ordered
    return received > EVENTS - 10 or (replica.epoch_number > 0 and received < 5)


async def test_a_node_that_was_away_over_a_close_catches_up(autojump_clock: MockClock, nursery: trio.Nursery) -> None:
    watch = Watch()
    swarm = make_swarm(4, 9, watch)
    await nursery.start(swarm.run)
    await trio.sleep(8)
    away = swarm.nodes[3]
    number = member_of(swarm.nodes[0]).replica.epoch_number
    swarm.crash(away)
    while member_of(swarm.nodes[0]).replica.epoch_number == number:
        await use(swarm, random.Random(1), set(), trio.current_time() + 1)
    for node in swarm.nodes[:3]:  # also if all the others have started anew since
        swarm.crash(node)
        await swarm.start(node)
    await swarm.start(away)
    await at_rest(swarm)
    same_everywhere(swarm)
    assert member_of(away).replica.epoch_number == number + 1


async def test_members_leave_while_the_swarm_works(autojump_clock: MockClock, nursery: trio.Nursery) -> None:
    watch = Watch()
    swarm = make_swarm(5, 4, watch)
    await nursery.start(swarm.run)
    await trio.sleep(6)
    gone = swarm.nodes[4]
    change = Change("leave", gone.identity.id)
    first = member_of(swarm.nodes[0])
    number = first.last_id() + 1
    first.submit([t.Propose(number, change, "moves away").as_table()])
    proposal = t.proposal_id(first.id, number)
    for node in swarm.nodes[1:4]:
        member = member_of(node)
        while member.replica.ledger.proposal(proposal) is None:
            await trio.sleep(0.1)
        member.submit([t.Ballot(member.last_id() + 1, proposal, approve=True).as_table()])
    with trio.fail_after(30):
        while any(gone.identity.id in member_of(node).replica.roster for node in swarm.nodes[:4]):
            await trio.sleep(0.1)
    begun = member_of(swarm.nodes[0]).replica.ledger.round
    for node in swarm.nodes[:4]:
        node_member = member_of(node)
        node_member.submit([{"type": "note", "id": node_member.last_id() + 1}])
    with trio.fail_after(30):
        while any(member_of(node).status().pending for node in swarm.nodes[:4]):
            await trio.sleep(0.1)
    assert member_of(swarm.nodes[0]).replica.ledger.round > begun
    assert {len(member_of(node).replica.roster) for node in swarm.nodes[:4]} == {4}
