"""Forks that replicas see become evidence by themselves; whoever forked loses its weight, and nobody else does."""

import random
from collections.abc import Sequence

import pytest

from consensus.event import Event, make_event
from consensus.forks import find_fork
from consensus.genesis import Genesis
from consensus.keys import SigningKey
from consensus.ledger.state.epoch_state import RECENT_EPOCHS
from consensus.outcome import ClosedEpoch
from consensus.replica import Replica
from consensus.settings import EpochSettings, Settings
from tests.consensus.gossip import SECOND, START, Gossip, digests, genesis_of, keys_of, sync


def weights(replica: Replica) -> list[int]:
    return [member.weight for member in replica.roster.members]


@pytest.mark.parametrize(("count", "forkers"), [(4, (1,)), (5, (4,)), (7, (0, 3)), (10, (2, 5, 9))])
def test_who_forks_loses_its_weight_and_all_go_on(count: int, forkers: Sequence[int]) -> None:
    swarm = Gossip(count, seed=count, forkers=forkers, discreet=False).run(60 * count).settle()
    expected = digests(swarm.rounds[0])
    assert all(digests(rounds) == expected for rounds in swarm.rounds)
    for replica in swarm.replicas:
        assert weights(replica) == [0 if member in forkers else 1 for member in range(count)]
        convicted = [entry.member for entry in replica.ledger.convictions()]
        assert convicted == [swarm.keys[member].id for member in forkers]
        assert replica.pending_evidence() == []
    honest = [member for member in range(count) if member not in forkers]
    before = swarm.replicas[0].ledger.round
    swarm.run(20 * count, honest).settle()
    assert all(swarm.replicas[member].ledger.round > before + 3 for member in honest)


def test_each_node_tells_a_fork_once_and_until_it_is_ordered() -> None:
    swarm = Gossip(4, seed=2, discreet=False).run(40).settle()
    key, replica = swarm.keys[3], swarm.replicas[0]
    for other in swarm.replicas:
        other.insert(branches(swarm, 3))
    (proof,) = replica.pending_evidence()
    assert all(other.pending_evidence() == [proof] for other in swarm.replicas[:3])
    assert swarm.replicas[3].pending_evidence() == [proof]  # it would tell on itself
    assert replica.needs_rounds()
    first = replica.create(swarm.time + SECOND)
    assert dict(proof.as_table()) in first.transactions
    replica.insert([first])
    assert replica.pending_evidence() == []
    second = replica.create(swarm.time + 2 * SECOND)
    assert second.transactions == ()
    replica.insert([second])
    swarm.time += 3 * SECOND
    swarm.run(60, [0, 1, 2]).settle()
    assert [entry.member for entry in replica.ledger.convictions()] == [key.id]


def branches(swarm: Gossip, member: int, epoch: bytes | None = None) -> list[Event]:
    """Two events of a member that continue the same one."""
    replica, key = swarm.replicas[member], swarm.keys[member]
    newest = replica.newest(key.id)
    assert newest is not None
    return [
        make_event(
            key, epoch=epoch or replica.epoch_digest, seq=newest.seq + 1, self_parent=newest.hash,
            time=max(newest.time, swarm.time) + 1 + branch,
        )
        for branch in range(2)
    ]  # fmt: skip


def test_all_who_know_the_same_events_write_the_same_proof() -> None:
    swarm = Gossip(4, seed=3, forkers=(1,)).run(150).settle()
    proofs = set()
    for replica in swarm.replicas:
        events = [event for event in replica.dag.events if event.creator == swarm.keys[1].id]
        for seed in range(5):
            random.Random(seed).shuffle(events)
            proofs.add(find_fork(events))
        assert find_fork(event for event in replica.dag.events if event.creator == swarm.keys[0].id) is None
    assert len(proofs) == 1
    (proof,) = proofs
    assert proof is not None
    numbers = [event.seq for event in events]
    assert proof.id == min(seq for seq in numbers if numbers.count(seq) > 1)


def test_the_same_event_again_or_with_another_signature_is_no_fork() -> None:
    swarm = Gossip(4, seed=4, discreet=False).run(80).settle()
    for replica in swarm.replicas:
        replica.insert(replica.dag.events)
        assert replica.pending_evidence() == []
        assert replica.ledger.convictions() == ()


def test_an_honest_member_that_restarts_is_never_accused() -> None:
    """Also in the middle of an epoch, although every epoch numbers its events from 0 again."""
    settings = Settings(epoch=EpochSettings(events=40))
    keys = keys_of(4)
    genesis = genesis_of(keys, settings=settings)
    rng, replicas, time = random.Random(1), [Replica.found(genesis, key) for key in keys], START
    closed: dict[int, ClosedEpoch] = {}
    for turn in range(400):
        asker, other = rng.sample(range(4), 2)
        replica = replicas[asker]
        if rng.random() < 0.1:
            replica = replicas[asker] = restarted(genesis, keys[asker], replica, closed)
        sync(replica, replicas[other])
        closed |= closings(replica)
        newest = replica.newest(keys[other].id)
        time += SECOND
        event = replica.create(time, [{"type": "note", "id": turn}], [newest.hash] if newest else [])
        replica.insert([event])
        closed |= closings(replica)
    assert replicas[0].epoch_number >= 4
    for replica in replicas:
        assert replica.pending_evidence() == []
        assert replica.ledger.convictions() == ()
        assert weights(replica) == [1, 1, 1, 1]


def closings(replica: Replica) -> dict[int, ClosedEpoch]:
    return {entry.closed.record.number: entry.closed for entry in replica.advance() if entry.closed}


def restarted(genesis: Genesis, key: SigningKey, replica: Replica, closed: dict[int, ClosedEpoch]) -> Replica:
    """A replica that knows only what the store had: the last record, its snapshot, the events since."""
    last = closed.get(replica.epoch_number)
    again = Replica.found(genesis, key) if last is None else Replica.resume(genesis, key, last.record, last.snapshot)
    again.insert(replica.dag.events)
    again.advance()
    return again


def test_a_fork_of_the_epoch_before_that_comes_late_counts_too() -> None:
    swarm = Gossip(4, seed=5, forkers=(3,), discreet=False)
    swarm.genesis = genesis_of(swarm.keys, settings=Settings(epoch=EpochSettings(events=40)))
    swarm.forkers = ()
    swarm.replicas = [Replica.found(swarm.genesis, key) for key in swarm.keys]
    while swarm.replicas[0].epoch_number == 0:
        swarm.run(1)
    old = swarm.replicas[0].find_epoch(swarm.genesis.digest)
    assert old is not None
    one = old.newest(swarm.keys[3].id)
    assert one is not None
    other = make_event(
        swarm.keys[3], epoch=swarm.genesis.digest, seq=one.seq, self_parent=one.self_parent, time=one.time + 5
    )  # fmt: skip
    assert swarm.replicas[0].insert([other]) == []
    assert len(swarm.replicas[0].pending_evidence()) == 1
    while not swarm.replicas[0].ledger.convictions():
        swarm.run(5)
    swarm.settle()
    assert all([entry.epoch for entry in replica.ledger.convictions()] == [0] for replica in swarm.replicas)
    assert weights(swarm.replicas[1]) == [1, 1, 1, 0]


def test_what_was_not_received_before_the_close_is_told_again() -> None:
    swarm = Gossip(4, seed=6, discreet=False).run(40).settle()
    for other in swarm.replicas[:3]:
        other.insert(branches(swarm, 3))
    told = swarm.replicas[0].create(swarm.time + SECOND)
    swarm.replicas[0].insert([told])
    again = swarm.replicas[0]._open.unreceived(swarm.keys[0].id)
    assert again  # notes; the evidence comes from the replica itself
    assert {entry["type"] for group in again for entry in group} == {"note"}
    assert swarm.replicas[0].pending_evidence() == []
    swarm.replicas[0]._forks.begin_epoch(0)
    assert len(swarm.replicas[0].pending_evidence()) == 1


def test_a_convict_says_nothing_about_others() -> None:
    swarm = Gossip(7, seed=7, forkers=(0, 3), discreet=False).run(500).settle()
    epochs = swarm.replicas[1].epoch_number
    for member in (0, 3):
        made = [event for event in swarm.made if event.creator == swarm.keys[member].id][-20:]
        kinds = {entry["type"] for event in made for entry in event.transactions}
        assert "evidence" not in kinds
    assert epochs <= 2 < RECENT_EPOCHS  # the second conviction at the latest closed the last one
