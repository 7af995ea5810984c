"""A node whose disk went back in time listens, in every epoch, before it says anything there."""

from typing import Any

import pytest
import trio

from consensus.keys import MemberId
from consensus.settings import EpochSettings, Settings
from node.gossip.selection import PeerSelection
from node.transport import Unreachable
from node.transport.memory import MemoryTransport
from tests.integration.open_swarm import member_of
from tests.integration.test_divergence import ChattySwarm, Rounds, in_virtual_time, until


def test_who_is_brought_the_end_of_an_epoch_still_listens_in_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    """It had been in the next epoch. Now it asks nobody, as if it could not, so it hears only from those that ask it.

    It lacks much of the epoch before, but none of its own events.
    """
    mute: list[MemberId] = []
    for module in ("messages", "lost_peers"):
        monkeypatch.setattr(f"node.gossip.{module}.MAX_EVENTS", 5)
    choose = PeerSelection.choose
    monkeypatch.setattr(PeerSelection, "choose", lambda self: None if self._member.id in mute else choose(self))

    async def scenario(swarm: ChattySwarm, _rounds: Rounds) -> None:
        late = swarm.nodes[0]
        await until(lambda: member_of(late).replica.newest(late.identity.id))
        swarm.crash(late)
        before = late.disk.copy()
        await until(lambda: all(member_of(node).replica.epoch_number == 1 for node in swarm.nodes[1:]))
        await swarm.start(late)
        swarm.chat(late)
        await until(lambda: member_of(late).replica.epoch_number == 1)
        await until(lambda: sum(event.creator == late.identity.id for event in member_of(late).replica.dag.events) > 3)
        swarm.crash(late)
        late.disk = before
        mute.append(late.identity.id)
        await swarm.start(late)
        await until(lambda: member_of(late).replica.epoch_number >= 1, 150)
        assert member_of(late).status().listening
        await trio.sleep(5)
        mute.clear()
        await until(lambda: not member_of(late).status().listening)
        assert not any(member_of(node).replica.hashgraph.forkers() for node in swarm.nodes)

    in_virtual_time(1, scenario, settings=Settings(epoch=EpochSettings(events=100)))


@pytest.mark.parametrize("seed", [1, 2])
def test_who_cannot_ask_is_brought_out_of_epochs_that_nobody_holds_in_memory(
    monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    """The others can ask it. They need it: one of them is off by then."""
    monkeypatch.setattr("node.gossip.lost_peers.PATIENCE_S", 1.0)
    mute: list[MemberId] = []
    ask = MemoryTransport.ask

    async def ask_unless_mute(self: MemoryTransport, *request: Any, **limits: Any) -> bytes:
        if self._source in mute:
            await trio.sleep(0.1)
            raise Unreachable("no route to host")
        return await ask(self, *request, **limits)

    monkeypatch.setattr(MemoryTransport, "ask", ask_unless_mute)

    async def scenario(swarm: ChattySwarm, _rounds: Rounds) -> None:
        late, off, *others = swarm.nodes
        await until(lambda: member_of(late).replica.newest(late.identity.id))
        swarm.crash(late)
        mute.append(late.identity.id)
        await until(lambda: all(member_of(node).replica.epoch_number >= 3 for node in others), 300)
        swarm.crash(off)
        await swarm.start(late)
        assert member_of(late).replica.epoch_number == 0
        await until(lambda: member_of(late).replica.epoch_number >= 3)
        decided = member_of(others[0]).replica.ledger.round
        await until(lambda: member_of(others[0]).replica.ledger.round > decided + 3)

    in_virtual_time(seed, scenario, settings=Settings(epoch=EpochSettings(events=60)))
