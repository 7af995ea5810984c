"""A peer that is several epochs behind is brought whole epochs, and told what was attached last in them."""

from types import SimpleNamespace
from typing import Any

import trio
from trio.testing import MockClock

from node.gossip.lost_peers import PATIENCE_S, LostPeers
from node.gossip.messages import SyncAnswer, SyncRequest
from tests.consensus.test_bounds import Swarm


class Member:
    """What `LostPeers` needs of a member: here epoch 0 is closed long ago."""

    def __init__(self, epoch: bytes, raws: list[bytes]) -> None:
        self.replica = SimpleNamespace(epoch_number=2)
        self._epoch, self._raws = epoch, raws

    def hidden(self) -> dict[bytes, Any]:
        return {}

    async def read_closed(self, number: int, start: int, count: int) -> tuple[bytes, list[bytes]]:
        return self._epoch, self._raws[start : start + count]


async def test_who_has_not_closed_with_all_events_is_told_the_tips(autojump_clock: MockClock) -> None:
    swarm = Swarm(4, liars=1)
    first = swarm.sign(3, None)
    branch = [first, swarm.sign(3, first), swarm.sign(3, None)]
    swarm.take(1, branch)
    swarm.create(0)
    swarm.settle([0, 1])
    there = swarm.replicas[1]
    asked: list[SyncRequest] = []

    async def ask(_peer: Any, request: SyncRequest) -> SyncAnswer:
        asked.append(request)
        return SyncAnswer([], [], more=False, closed=False)

    member: Any = Member(swarm.epoch, [event.raw for event in there.dag.events])
    peer: Any = SimpleNamespace(id=swarm.keys[2].id, backoff=SimpleNamespace(ask_by=lambda at: None))
    lost = LostPeers(member, ask)
    for _ in range(2):
        await lost.help(peer, 2)
        await trio.sleep(PATIENCE_S)
    assert [len(request.events) for request in asked] == [len(there.dag.events), 0]
    events = there.dag.events
    ends = {event.hash for event in events} - {event.self_parent for event in events}
    assert [{tip.hash for tip in request.tips} for request in asked] == [set(), ends]
    await lost.help(peer, 2)
    assert [bool(request.events) for request in asked[2:]] == [True, False], "and all of it again"
