"""A node whose disk went back in time listens, in every epoch, before it says anything there."""

import pytest
import trio

from consensus.keys import MemberId
from consensus.settings import EpochSettings, Settings
from node.gossip.selection import PeerSelection
from tests.integration.open_swarm import member_of
from tests.integration.test_divergence import ChattySwarm, Rounds, in_virtual_time, until


def test_who_is_brought_the_end_of_an_epoch_still_listens_in_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    """It had been in the next epoch. Now it asks nobody, as if it could not, so it hears only from those that ask it.

    It lacks much of the epoch before, but none of its own events.
    """
    mute: list[MemberId] = []
    monkeypatch.setattr("node.gossip.messages.MAX_EVENTS", 5)
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
        await until(lambda: member_of(late).replica.epoch_number == 1)
        assert member_of(late).status().listening
        await trio.sleep(5)
        mute.clear()
        await until(lambda: not member_of(late).status().listening)
        assert not any(member_of(node).replica.hashgraph.forkers() for node in swarm.nodes)

    # With this seed they bring it the end of the epoch before they close the next one, whose end they do not bring.
    in_virtual_time(1, scenario, settings=Settings(epoch=EpochSettings(events=100)))
