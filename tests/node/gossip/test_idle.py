"""Idle swarms: rounds go on for nobody's sake, over whatever paths are left, and cost little."""

import random
from collections import Counter
from collections.abc import Iterable
from itertools import pairwise, product
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from consensus.keys import MemberId
from consensus.sync import Tip
from node.gossip.peer_table import PeerTable
from node.gossip.rhythm import Rhythm
from node.gossip.selection import PeerSelection
from node.member.timing import CreationTiming
from node.simulation.invariants import AgreementCheck
from node.simulation.swarm import SimulatedSwarm
from node.transport import MAX_ANSWER_BYTES, Unreachable
from node.transport.memory import MemoryTransport

SETTLED_S = 60.0  # after which a new swarm has come to rest

# Requests and bytes each second before events were brought to members that do not fetch them.
TRAFFIC_BEFORE = {4: (3.53, 3220), 7: (6.95, 10_925)}


def make_swarm(count: int, **options: Any) -> SimulatedSwarm:
    timing, rhythm = CreationTiming(), Rhythm()
    return SimulatedSwarm(count, 1, timing=timing, rhythm=rhythm, observe=AgreementCheck().observe, **options)


def rounds(swarm: SimulatedSwarm) -> list[int]:
    """Return the last decided round of each node that is up."""
    return [node.member.status().round for node in swarm.nodes if node.member is not None]


def consensus_time_s(swarm: SimulatedSwarm) -> float:
    return min(node.member.replica.ledger.time for node in swarm.nodes if node.member is not None) / 1e9


def let_dial(swarm: SimulatedSwarm, pairs: Iterable[tuple[int, int]], monkeypatch: pytest.MonkeyPatch) -> None:
    """Let nodes reach only these from now on: the numbers of the one that asks and of the one that answers."""
    ids = [node.identity.id for node in swarm.nodes]
    allowed = {(ids[asking], ids[answering]) for asking, answering in pairs}
    ask = MemoryTransport.ask

    async def ask_if_allowed(
        self: MemoryTransport,
        peer: MemberId,
        path: str,
        body: bytes,
        *,
        timeout_s: float,
        max_bytes: int = MAX_ANSWER_BYTES,
    ) -> bytes:
        if (self._source, peer) not in allowed:
            await trio.sleep(0.01)
            raise Unreachable("connection refused")
        return await ask(self, peer, path, body, timeout_s=timeout_s, max_bytes=max_bytes)

    monkeypatch.setattr(MemoryTransport, "ask", ask_if_allowed)


@pytest.mark.parametrize("count", [4, 7])
async def test_a_needed_member_that_nobody_can_reach_stops_nobody(
    count: int, nursery: trio.Nursery, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Switch off as many others as may be, so that one is needed that reaches the others, and that they do not."""
    swarm = make_swarm(count)
    let_dial(swarm, product(range(count), range(1, count)), monkeypatch)
    await nursery.start(swarm.run)
    for node in swarm.nodes[count - (count - 1) // 3 :]:
        swarm.crash(node)
    await trio.sleep(SETTLED_S)
    before, begun_s = rounds(swarm), consensus_time_s(swarm)
    await trio.sleep(120)
    assert min(rounds(swarm)) >= max(before) + 5
    assert consensus_time_s(swarm) > begun_s + 90


async def test_a_peer_that_always_claims_to_have_more_does_not_take_the_turn_of_the_others(
    nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    swarm = make_swarm(3)
    await nursery.start(swarm.run)
    await trio.sleep(20)  # nobody waits for rounds any more
    member, rhythm = swarm.nodes[0].member, Rhythm()
    assert member is not None
    table = PeerTable(member, rhythm)
    selection = PeerSelection(member, table, rhythm, random.Random(1))
    liar, other = table.peers.values()
    other.observe_tips(member.replica.tips(), trio.current_time())  # it lacks nothing, and has nothing for us
    chosen = Counter[MemberId]()
    for seq in range(1000, 1100):
        liar.observe_tips([Tip(liar.id, seq, bytes(32))], trio.current_time())
        peer = selection.choose()
        assert peer is not None
        peer.asked_at = trio.current_time()
        chosen[peer.id] += 1
        await trio.sleep(0.1)
    assert chosen[liar.id] > 80
    assert chosen[other.id] >= 3


CHAIN = [*pairwise(range(5))]
TO_AND_FRO = [(pair[::-1] if number % 2 else pair) for number, pair in enumerate(CHAIN)]
STAR = [(2, 0), (2, 1), (3, 2), (4, 2)]


@pytest.mark.parametrize("pairs", [CHAIN, TO_AND_FRO, STAR], ids=["chain", "to and fro", "star"])
async def test_rounds_go_on_over_paths_whoever_can_dial(
    pairs: list[tuple[int, int]], nursery: trio.Nursery, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Leave each member some others to talk to, and of each two only one that can reach the other."""
    swarm = make_swarm(5)
    await nursery.start(swarm.run)
    await trio.sleep(10)  # all have listened
    let_dial(swarm, pairs, monkeypatch)
    await trio.sleep(SETTLED_S)
    before = rounds(swarm)
    await trio.sleep(180)
    assert min(rounds(swarm)) >= max(before) + 4


@pytest.mark.parametrize("count", TRAFFIC_BEFORE)
async def test_rest_is_as_cheap_as_before(count: int, nursery: trio.Nursery, autojump_clock: MockClock) -> None:
    swarm = make_swarm(count)
    await nursery.start(swarm.run)
    await trio.sleep(SETTLED_S)
    traffic, span_s = swarm.network.traffic, 100
    asked, size = traffic.asked, traffic.bytes
    await trio.sleep(span_s)
    asked_before, size_before = TRAFFIC_BEFORE[count]
    assert (traffic.asked - asked) / span_s < 1.1 * asked_before
    assert (traffic.bytes - size) / span_s < 1.1 * size_before
