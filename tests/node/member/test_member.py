"""A member over its lifetimes: restarts, lost disks, failing disks, and no event signed twice."""

import random
from collections import Counter
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from consensus.event import EventError, make_event
from consensus.genesis import make_genesis
from consensus.replica import RoundEffects
from consensus.roster import RosterMember
from consensus.settings import Settings
from consensus.sync import Tip
from node.config.identity import Identity
from node.gossip.rhythm import Rhythm
from node.member.member import Member
from node.member.timing import CreationTiming
from node.member.transaction_pool import BacklogError
from node.member.verification import CachingVerifier
from node.simulation.invariants import AgreementCheck, HonestMembersCheck
from node.simulation.swarm import RESTART_S, SimulatedNode, SimulatedSwarm
from node.store import StoreError
from node.store.memory import MemoryDisk, MemoryStore
from node.system.clock import SimulatedClock

TIMING = CreationTiming(busy_s=0.3, heartbeat_s=5.0, grace_s=2.0)


def note(number: int) -> dict[str, Any]:
    return {"type": "note", "id": number}


class Swarm(SimulatedSwarm):
    """Watched for agreement and honest forks."""

    def __init__(self, count: int, **options: Any) -> None:
        self.agreement = AgreementCheck()
        super().__init__(count, 7, timing=TIMING, rhythm=Rhythm(), observe=self.agreement.observe, **options)
        self.honesty = HonestMembersCheck(self)

    def member(self, number: int) -> Member:
        member = self.nodes[number].member
        assert member is not None
        return member

    async def settle(self, seconds: float = 60) -> None:
        """Waits until everybody who is up has all transactions in the order."""
        up = [node.member for node in self.nodes if node.member is not None]
        with trio.fail_after(seconds):
            while any(member.status().pending or member.replica.needs_rounds() for member in up):
                await trio.sleep(0.1)
        self.honesty.inspect()

    def own_seqs(self, number: int) -> list[int]:
        """The sequence numbers of a member's events that anybody knows."""
        own = self.nodes[number].identity.id
        known = {
            event.hash: event.seq
            for node in self.nodes
            if node.member is not None
            for event in node.member.replica.dag.events
            if event.creator == own
        }
        return sorted(known.values())


@pytest.fixture
async def swarm(nursery: trio.Nursery, autojump_clock: MockClock) -> Swarm:
    swarm = Swarm(4)
    await nursery.start(swarm.run)
    await trio.sleep(1)
    return swarm


async def test_transactions_are_ordered_everywhere_alike(swarm: Swarm, autojump_clock: MockClock) -> None:
    for number in range(4):
        swarm.member(number).submit([note(1), note(2)])
    await swarm.settle()
    await trio.sleep(3)
    digests = {swarm.member(number).replica.ledger.digest() for number in range(4)}
    assert len(digests) == 1
    assert swarm.member(0).status().ordered >= 4


async def test_a_restarted_member_goes_on_where_it_was(swarm: Swarm, autojump_clock: MockClock) -> None:
    swarm.member(1).submit([note(1)])
    await swarm.settle()
    node = swarm.nodes[1]
    before = swarm.member(1).status()
    swarm.crash(node)
    await trio.sleep(3)
    await swarm.start(node)
    after = swarm.member(1).status()
    assert after.listening
    assert after.events >= before.events - 5
    swarm.member(1).submit([note(2)])
    await swarm.settle()
    seqs = swarm.own_seqs(1)
    assert seqs == list(range(len(seqs)))


async def test_many_crashes_never_make_two_events_with_one_number(swarm: Swarm, autojump_clock: MockClock) -> None:
    chance = random.Random(4)
    for number in range(40):
        node = chance.choice(swarm.nodes)
        if node.member is not None:
            node.member.submit([note(number)])
            await trio.sleep(chance.random())
            swarm.crash(node)
            await trio.sleep(chance.random())
            await swarm.start(node)
    await swarm.settle()
    for number in range(4):
        seqs = swarm.own_seqs(number)
        assert seqs == list(range(len(seqs)))


async def test_a_member_that_lost_its_disk_continues_from_what_others_know(
    swarm: Swarm, autojump_clock: MockClock
) -> None:
    swarm.member(2).submit([note(1)])
    await swarm.settle()
    highest = max(swarm.own_seqs(2))
    node = swarm.nodes[2]
    swarm.crash(node)
    await trio.sleep(0)
    node.disk = MemoryDisk()
    await swarm.start(node)
    assert swarm.member(2).status().events == 0
    swarm.member(2).submit([note(2)])
    await trio.sleep(0.1)
    await swarm.settle()
    seqs = swarm.own_seqs(2)
    assert seqs == list(range(len(seqs)))
    assert max(seqs) > highest


async def test_an_event_stored_but_never_sent_is_sent_after_the_restart(
    swarm: Swarm, autojump_clock: MockClock
) -> None:
    await swarm.settle()
    node, others = swarm.nodes[3], [node.identity.id for node in swarm.nodes[:3]]
    swarm.network.cut([node.identity.id], others)
    swarm.network.cut(others, [node.identity.id])
    swarm.member(3).submit([note(1)])
    await trio.sleep(1)
    unsent = swarm.member(3).replica.newest(node.identity.id)
    assert unsent is not None
    assert unsent.transactions
    assert not swarm.member(0).has_event(unsent.hash)
    swarm.crash(node)
    await trio.sleep(1)
    swarm.network.heal()
    await swarm.start(node)
    assert swarm.member(3).has_event(unsent.hash)
    await swarm.settle()
    assert swarm.member(0).has_event(unsent.hash)
    seqs = swarm.own_seqs(3)
    assert seqs == list(range(len(seqs)))


async def test_before_an_exchange_an_own_event_comes_sooner(swarm: Swarm, autojump_clock: MockClock) -> None:
    await swarm.settle()
    await trio.sleep(3)  # nobody waits for rounds any more, and no heartbeat is due
    member, own = swarm.member(0), swarm.nodes[0].identity.id

    def newest() -> int:
        event = member.replica.newest(own)
        assert event is not None
        return event.seq

    before = newest()
    await member.prepare_exchange()
    assert newest() == before  # nobody waits
    member.submit([note(1)])
    await member.prepare_exchange()
    assert newest() == before + 1
    member.submit([note(2)])
    await member.prepare_exchange()
    assert newest() == before + 1  # too soon
    await trio.sleep(1.5 * TIMING.prompt_s)
    await member.prepare_exchange()
    assert newest() == before + 2
    await swarm.settle()


async def test_no_own_event_before_a_quorum_was_heard(swarm: Swarm, autojump_clock: MockClock) -> None:
    await swarm.settle()
    node, others = swarm.nodes[0], [node.identity.id for node in swarm.nodes[1:]]
    swarm.crash(node)
    swarm.network.cut([node.identity.id], others[:2])
    swarm.network.cut(others[:2], [node.identity.id])
    await trio.sleep(1)
    await swarm.start(node)
    before = len(swarm.own_seqs(0))
    swarm.member(0).submit([note(1)])
    await trio.sleep(60)
    assert swarm.member(0).status().listening
    assert len(swarm.own_seqs(0)) == before
    swarm.network.heal()
    await swarm.settle()
    assert len(swarm.own_seqs(0)) > before


async def test_the_last_members_get_some_time_to_answer(swarm: Swarm, autojump_clock: MockClock) -> None:
    await swarm.settle()
    node = swarm.nodes[0]
    swarm.crash(node)
    swarm.crash(swarm.nodes[1])
    await trio.sleep(1)
    await swarm.start(node)
    await trio.sleep(TIMING.grace_s - 0.5)
    assert swarm.member(0).status().listening
    await trio.sleep(2)
    assert not swarm.member(0).status().listening


async def test_a_liar_about_our_events_cannot_silence_us(
    swarm: Swarm, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    await swarm.settle()
    node, liar = swarm.nodes[0], swarm.nodes[1]

    swarm.crash(node)
    assert liar.member is not None
    tips = liar.member.replica.tips
    lie = [Tip(node.identity.id, 1000, bytes(32))]

    def lying() -> list[Tip]:
        return [*(tip for tip in tips() if tip.creator != node.identity.id), *lie]

    monkeypatch.setattr(liar.member.replica, "tips", lying)
    await trio.sleep(1)
    await swarm.start(node)
    before = max(swarm.own_seqs(0))
    swarm.member(0).submit([note(1)])
    await trio.sleep(20)
    assert max(swarm.own_seqs(0)) > before
    assert not swarm.member(0).status().listening


async def test_a_failing_disk_stops_the_node_before_anything_is_sent(swarm: Swarm, autojump_clock: MockClock) -> None:
    await swarm.settle()
    node = swarm.nodes[0]
    before = swarm.own_seqs(0)
    node.disk.full = True
    swarm.member(0).submit([note(1)])
    await trio.sleep(0.9)
    assert [str(stop) for stop in node.stops] == ["the disk in memory is full"]
    assert node.member is None
    assert swarm.own_seqs(0) == before
    node.disk.full = False
    await trio.sleep(RESTART_S + 1)
    swarm.member(0).submit([note(1)])
    await swarm.settle()
    assert len(swarm.own_seqs(0)) > len(before)


async def test_a_minority_stops_and_goes_on_when_healed(swarm: Swarm, autojump_clock: MockClock) -> None:
    for number in range(4):
        swarm.member(number).submit([note(1)])
    await swarm.settle()
    ids = [node.identity.id for node in swarm.nodes]
    swarm.network.cut(ids[:2], ids[2:])
    swarm.network.cut(ids[2:], ids[:2])
    for number in range(4):
        swarm.member(number).submit([note(2)])
    await trio.sleep(30)
    counts = [len(swarm.own_seqs(number)) for number in range(4)]
    asked = swarm.network.traffic.asked
    await trio.sleep(120)
    assert [len(swarm.own_seqs(number)) for number in range(4)] == counts
    assert swarm.network.traffic.asked - asked < 120 * 4  # no more than some pings
    assert all(swarm.member(number).status().pending for number in range(4))
    swarm.network.heal()
    await swarm.settle(45)
    assert not any(swarm.member(number).status().pending for number in range(4))


async def test_two_of_four_dead_decide_nothing_and_lose_nothing(swarm: Swarm, autojump_clock: MockClock) -> None:
    swarm.member(3).submit([note(1)])
    await swarm.settle()
    for node in swarm.nodes[2:]:
        swarm.crash(node)
    rounds = max(swarm.agreement.rounds)
    for number in range(2):
        swarm.member(number).submit([note(1), note(2)])
    await trio.sleep(120)
    assert max(swarm.agreement.rounds) <= rounds + 1  # what was on its way
    assert sum(swarm.member(number).status().pending for number in range(2)) == 4
    await swarm.start(swarm.nodes[2])
    await swarm.settle(45)
    assert max(swarm.agreement.rounds) > rounds + 1


async def test_a_swarm_that_was_off_altogether_goes_on(swarm: Swarm, autojump_clock: MockClock) -> None:
    swarm.member(0).submit([note(1)])
    await swarm.settle()
    rounds = max(swarm.agreement.rounds)
    for node in swarm.nodes:
        swarm.crash(node)
    await trio.sleep(10)
    for node in swarm.nodes:
        await swarm.start(node)
    assert all(swarm.member(number).status().events for number in range(4))
    swarm.member(1).submit([note(2)])
    await swarm.settle(30)
    assert max(swarm.agreement.rounds) > rounds


async def test_an_idle_swarm_only_keeps_time(swarm: Swarm, autojump_clock: MockClock) -> None:
    swarm.member(0).submit([note(1)])
    await swarm.settle()
    events, asked = swarm.member(0).status().events, swarm.network.traffic.asked
    rounds = swarm.member(0).status().round
    await trio.sleep(100)
    made = swarm.member(0).status().events - events
    assert 40 <= made <= 4 * 100 / TIMING.heartbeat_s + 8
    assert swarm.network.traffic.asked - asked < 4 * 100 * 2
    assert swarm.member(0).status().round > rounds + 3


async def test_subscribers_hear_every_round_in_order(swarm: Swarm, autojump_clock: MockClock) -> None:
    heard = swarm.member(0).subscribe()
    gone = swarm.member(0).subscribe()
    gone.close()
    first = swarm.member(0).status().round + 1
    for number in range(5):
        swarm.member(1).submit([note(number)])
        await swarm.settle()
    last = swarm.member(0).status().round
    rounds: list[RoundEffects] = [heard.receive_nowait() for _ in range(first, last + 1)]
    assert [effects.round.number for effects in rounds] == list(range(first, last + 1))


@pytest.mark.parametrize(
    "bad",
    [
        {"id": 1},
        {"type": "x"},
        {"type": 5, "id": 1},
        {"type": "x", "id": -1},
        {"type": "x", "id": 1, "f": 0.5},
        {"type": "x", "id": 2**63},
        {"type": "x", "id": 1, "data": bytes(300_000)},
    ],
)
async def test_what_cannot_be_in_an_event_is_refused_at_once(
    swarm: Swarm, autojump_clock: MockClock, bad: dict[str, Any]
) -> None:
    with pytest.raises((EventError, BacklogError)):
        swarm.member(0).submit([note(1), bad])
    with pytest.raises(BacklogError, match="too much for one event"):
        swarm.member(0).submit([{"type": "x", "id": 1, "data": bytes(200_000)}])
    swarm.member(0).submit([note(2)])
    await swarm.settle()


def lone_member(disk: MemoryDisk, chance: random.Random) -> Member:
    identity = Identity(b"1" * 32)
    genesis = make_genesis("lone", [RosterMember(identity.id, 1)], Settings())
    return Member(
        genesis=genesis,
        identity=identity,
        store=MemoryStore(disk),
        verifier=CachingVerifier(),
        clock=SimulatedClock(),
        chance=chance,
        timing=TIMING,
    )


async def test_one_node_is_a_swarm(autojump_clock: MockClock, nursery: trio.Nursery) -> None:
    disk, groups = MemoryDisk(), Counter[int]()
    for start in range(3):
        member = lone_member(disk, random.Random(start))
        rounds = member.subscribe()
        with trio.CancelScope() as scope:
            async with trio.open_nursery() as inner:
                await inner.start(member.run)
                member.submit([note(start), note(start + 100)])
                with trio.fail_after(5):
                    while member.status().pending:
                        await trio.sleep(0.1)
                scope.cancel()
        for effects in iter(rounds.receive_nowait, None):
            groups.update(
                transaction["id"]
                for place in effects.round.events
                for transaction in place.event.transactions
                if transaction["type"] != "open"
            )
            if effects.round.number == member.status().round:
                break
    assert groups == {0: 3, 100: 3, 1: 2, 101: 2, 2: 1, 102: 1}


@pytest.mark.parametrize("damage", ["bit", "garbage", "stranger's swarm"])
async def test_a_damaged_event_in_the_store_is_one_clear_line(
    autojump_clock: MockClock, nursery: trio.Nursery, damage: str
) -> None:
    disk = MemoryDisk()
    member = lone_member(disk, random.Random(1))
    with trio.move_on_after(20):
        await member.run()
    assert len(disk.events) > 3
    raw = disk.events[2][1]
    other = make_event(Identity(b"1" * 32).key, epoch=bytes(32), seq=0, self_parent=None, time=1).raw
    bad = {"bit": raw[:-1] + bytes([raw[-1] ^ 1]), "garbage": b"\xff" * 50, "stranger's swarm": other}
    disk.events[2] = disk.events[2][0], bad[damage]
    with pytest.raises(StoreError, match=r"damaged.*move it away and start again") as error:
        await lone_member(disk, random.Random(2)).run()
    assert "\n" not in str(error.value)


async def test_events_stored_without_their_parents_wait_for_them(swarm: Swarm, autojump_clock: MockClock) -> None:
    """A store that lost its beginning: what is left is used once the peers have given the rest."""
    await swarm.settle()
    swarm.member(0).submit([note(5)])
    await swarm.settle()
    node: SimulatedNode = swarm.nodes[0]
    swarm.crash(node)
    await trio.sleep(0.1)
    del node.disk.events[: len(node.disk.events) // 2]
    node.disk.synced = len(node.disk.events)
    await swarm.start(node)
    swarm.member(0).submit([note(6)])
    await swarm.settle()
    seqs = swarm.own_seqs(0)
    assert seqs == list(range(len(seqs)))
    stored = [raw for _, raw in node.disk.events]
    assert len(stored) == len(set(stored)) == swarm.member(0).status().events
