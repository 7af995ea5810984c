"""A node that cannot keep up makes no events, and goes on when it can."""

import pytest
import trio
from trio.testing import MockClock

from consensus.replica import RoundEffects
from consensus.roster import RosterMember, make_roster
from node.gossip.rhythm import Rhythm
from node.member.health import Health, HealthLimits
from node.member.member import Member
from node.member.timing import CreationTiming
from node.simulation.swarm import SimulatedNode, SimulatedSwarm

IDS = [bytes([number]) * 32 for number in range(1, 8)]
ROSTER = make_roster([RosterMember(identity, 1) for identity in IDS])
OURS = dict.fromkeys(IDS, 10)


def far(events: int) -> dict[bytes, int]:
    return dict.fromkeys(IDS, 10 + events)


def test_a_fit_node_has_no_ailment() -> None:
    health = Health()
    health.observe_delay("a write", 0.9, 5.0)
    health.waiting = 2000
    for peer in IDS:
        health.observe_seqs(peer, far(64), OURS)
    assert health.ailment(ROSTER, lambda: OURS, 5.0) == ""


def test_what_waits_and_what_is_late_counts_until_it_is_over() -> None:
    health = Health()
    health.waiting = 2001
    assert health.ailment(ROSTER, lambda: OURS, 0.0) == "2001 events wait to be attached"
    health.waiting = 0
    health.observe_delay("a write to the disk", 1.25, 5.0)
    assert health.ailment(ROSTER, lambda: OURS, 6.9) == "a write to the disk took 1.2 s"
    assert health.ailment(ROSTER, lambda: OURS, 7.0) == ""


def test_a_third_of_the_weight_has_to_say_that_we_are_behind() -> None:
    health = Health()
    for peer in IDS[:2]:
        health.observe_seqs(peer, dict.fromkeys(IDS, 10**15), OURS)  # liars below a third silence nobody
    assert health.ailment(ROSTER, lambda: OURS, 0.0) == ""
    health.observe_seqs(IDS[2], far(65), OURS)
    assert health.ailment(ROSTER, lambda: OURS, 0.0) == f"{65 * 7} events behind"
    assert health.ailment(ROSTER, lambda: far(1), 0.0) == ""  # caught up with the third of them
    assert health.ailment(ROSTER, lambda: OURS, 0.0) == ""  # and what it said then is forgotten
    health.observe_seqs(IDS[2], far(65), OURS)
    health.begin_epoch()
    assert health.ailment(ROSTER, lambda: OURS, 0.0) == ""


def ignore(node: SimulatedNode, effects: RoundEffects) -> None:
    pass


def member_of(node: SimulatedNode) -> Member:
    assert node.member is not None
    return node.member


def own_seq(node: SimulatedNode) -> int:
    newest = member_of(node).replica.newest(node.identity.id)
    return -1 if newest is None else newest.seq


async def test_a_node_whose_disk_is_slow_makes_few_events_until_it_is_fast_again(
    nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    swarm = SimulatedSwarm(4, 3, timing=CreationTiming(), rhythm=Rhythm(), observe=ignore)
    slow = swarm.nodes[0]
    await nursery.start(swarm.run)
    await trio.sleep(8)
    slow.disk.sync_seconds = 1.5
    before = own_seq(slow)
    for number in range(60):
        for node in swarm.nodes:
            member_of(node).submit([{"type": "note", "id": number}])
        await trio.sleep(0.5)
    made = own_seq(slow) - before
    assert 30 / (1.5 + 2.0 + 0.6) - 2 <= made <= 30 / (1.5 + 2.0) + 1  # each write, and the pause after it
    assert "took 1.5 s" in member_of(slow).status().ailment
    slow.disk.sync_seconds = 0.0
    await trio.sleep(5)
    assert member_of(slow).status().ailment == ""
    assert member_of(slow).status().pending == 0


@pytest.mark.parametrize("cause", ["waiting", "late"])
async def test_an_unfit_node_stops_and_goes_on(cause: str, nursery: trio.Nursery, autojump_clock: MockClock) -> None:
    swarm = SimulatedSwarm(4, 3, timing=CreationTiming(), rhythm=Rhythm(), observe=ignore)
    node = swarm.nodes[1]
    await nursery.start(swarm.run)
    await trio.sleep(8)
    member = member_of(node)
    before = own_seq(node)
    if cause == "waiting":
        member.health.waiting += HealthLimits().waiting + 1
    for number in range(30):
        if cause == "late":
            member.health.observe_delay("a turn of the event loop", 3.0, trio.current_time())
        member.submit([{"type": "note", "id": number}])
        await trio.sleep(1)
    assert own_seq(node) - before <= 1  # one may have been under way
    assert member.status().ailment
    assert member.status().pending >= 29
    assert member_of(swarm.nodes[0]).status().round > 0
    if cause == "waiting":
        member.health.waiting = 0
    await trio.sleep(8)
    assert member.status().pending == 0
    assert member.status().ailment == ""


async def test_a_node_far_behind_first_catches_up(nursery: trio.Nursery, autojump_clock: MockClock) -> None:
    """Three of four know much that it lacks and cannot be asked for: it makes nothing, then all at once."""
    swarm = SimulatedSwarm(4, 3, timing=CreationTiming(), rhythm=Rhythm(), observe=ignore)
    node = swarm.nodes[2]
    await nursery.start(swarm.run)
    await trio.sleep(8)
    member = member_of(node)
    ours = {tip.creator: tip.seq for tip in member.replica.tips()}
    ahead = {creator: seq + 100 for creator, seq in ours.items()}
    before = own_seq(node)
    for peer in swarm.nodes[0].identity.id, swarm.nodes[1].identity.id:
        member.health.observe_seqs(peer, ahead, ours)
    member.submit([{"type": "note", "id": 1}])
    await trio.sleep(0.05)
    assert own_seq(node) == before
    assert "events behind" in member.status().ailment
    await trio.sleep(10)  # both are heard again, and speak of nothing that is not here
    assert own_seq(node) > before
    assert member.status().pending == 0
