"""Which peer is asked next, and when what it lacks is brought at once."""

import random

import trio
from trio.testing import MockClock

from consensus.sync import Tip
from node.gossip.peer_table import PeerTable
from node.gossip.rhythm import Rhythm
from node.gossip.selection import PeerSelection
from node.member.timing import CreationTiming
from node.simulation.invariants import AgreementCheck
from node.simulation.swarm import SimulatedSwarm


async def test_who_was_silent_longest_is_asked_and_few_new_events_wait_for_the_next_turn(
    nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    rhythm = Rhythm()
    swarm = SimulatedSwarm(4, 1, timing=CreationTiming(), rhythm=rhythm, observe=AgreementCheck().observe)
    await nursery.start(swarm.run)
    await trio.sleep(20)  # nobody waits for rounds any more
    member = swarm.nodes[0].member
    assert member is not None
    table = PeerTable(member, rhythm)
    selection = PeerSelection(member, table, rhythm, random.Random(1))
    first, second, third = peers = list(table.peers.values())
    assert selection.choose() in peers  # it is a turn of rest; all the others come within `idle_s`
    level = member.replica.tips()
    behind = [Tip(tip.creator, tip.seq - 1, bytes(32)) for tip in level if tip.seq > 0]
    second.observe_tips(behind, trio.current_time(), newest_seq=1000)
    await trio.sleep(0.1)
    first.observe_tips(behind, trio.current_time(), newest_seq=1000)
    third.observe_tips(level, trio.current_time() - 1, newest_seq=1000)
    assert selection.choose() is None  # heartbeats, for which nobody waits

    member.submit([{"type": "note", "id": 1}])
    assert selection.has_needy()
    assert selection.choose() is second
    assert selection.should_bring_more(second, has_brought=False)
    assert not selection.should_bring_more(second, has_brought=True)
    assert selection.should_bring(second, is_up_to_date=True)
    second.observe_tips([], trio.current_time(), newest_seq=1000)
    assert selection.should_bring_more(second, has_brought=True)  # it lacks many
    assert selection.choose() is first
