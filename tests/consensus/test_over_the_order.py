"""Ledgers over real hashgraphs: every member works by its own view, and all come to the same certificates."""

from __future__ import annotations

import random

import pytest

from consensus.certificate.envelope import make_certificate
from consensus.genesis import make_genesis
from consensus.keys import SigningKey
from consensus.replica import Replica
from consensus.roster import RosterMember
from tests.consensus.certificate.both import verify
from tests.consensus.ledger.worker import QUICK, Worker

SECOND = 10**9
START = 1_700_000_000 * SECOND


class Mesh:
    """Members that gossip in a seeded order; each puts forward more once all it said before is ordered."""

    def __init__(self, count: int, seed: int) -> None:
        keys = [SigningKey(bytes([number + 1]) * 32) for number in range(count)]
        self.genesis = make_genesis("mesh", [RosterMember(key.id, 1) for key in keys], QUICK)
        self.replicas = [Replica.found(self.genesis, key) for key in keys]
        self.workers = [Worker(key, seed * 100 + number) for number, key in enumerate(keys)]
        self.said: list[set[bytes]] = [set() for _ in keys]
        self.digests: list[dict[int, bytes]] = [{} for _ in keys]
        self.random = random.Random(seed)
        self.time = START

    def turn(self, members: list[int]) -> None:
        me, other = (*self.random.sample(members, 2),) if len(members) > 1 else (members[0], members[0])
        replica, worker = self.replicas[me], self.workers[me]
        parents = []
        if me != other:
            replica.insert(self.replicas[other].events_for_peer(replica.tips(), 1000, replica.wanted()))
            newest = replica.newest(self.workers[other].key.id)
            parents = [newest.hash] if newest is not None else []
        self.advance(me)
        wishes = [] if self.said[me] else [wish.as_table() for wish in worker.wishes(replica.ledger)]
        self.time += self.random.randrange(SECOND // 4)
        event = replica.create(self.time, wishes, parents)
        if wishes:
            self.said[me].add(event.hash)
        replica.insert([event])
        self.advance(me)

    def advance(self, member: int) -> None:
        for decided in self.replicas[member].advance():
            self.said[member] -= {ordered.event.hash for ordered in decided.round.events}
            self.digests[member][decided.round.number] = decided.digest

    def promoted(self, members: list[int]) -> bool:
        ledgers = [self.replicas[member].ledger for member in members]
        return all(any(entry.certified for entry in ledger.promotions()) for ledger in ledgers)


@pytest.mark.parametrize(("count", "dead"), [(1, 0), (2, 0), (3, 0), (4, 0), (4, 1), (7, 2)])
def test_all_come_to_the_same_certificate(count: int, dead: int) -> None:
    mesh = Mesh(count, seed=count + dead)
    for _ in range(60 * count):
        mesh.turn(list(range(count)))
    living = list(range(dead, count))
    for _ in range(12_000):
        mesh.turn(living)
        if mesh.promoted(living):
            break
    assert mesh.promoted(living)
    for member in living:
        common = mesh.digests[member].keys() & mesh.digests[living[0]].keys()
        assert all(mesh.digests[member][number] == mesh.digests[living[0]][number] for number in common)
    ledgers = [mesh.replicas[member].ledger for member in living]
    made = {make_certificate(ledger.promotions()[0], ledger) for ledger in ledgers}
    (data,) = made
    assert data is not None
    assert verify(data, mesh.genesis.digest).content.configuration == "hex8-2"
    refusals = mesh.replicas[living[0]].ledger.refused_counts()
    assert "malformed" not in refusals
    assert "id was used before" not in refusals
