"""Swarms of replicas through many short epochs, with rosters that change: one order, whatever happens when."""

import gc
import random
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Self

import pytest

from consensus.epoch import SealedRecord, verify_chain
from consensus.epoch_events import EpochEvents
from consensus.event import Event, TransactionTable, make_event
from consensus.keys import MemberId
from consensus.ledger.records import transactions as t
from consensus.ledger.records.changes import Change
from consensus.ordered import OrderedEvent
from consensus.outcome import ClosedEpoch, RoundEffects
from consensus.replica import Replica
from consensus.settings import EpochSettings, Settings
from tests.consensus.gossip import SECOND, START, digests, genesis_of, keys_of, sync

SHORT = Settings(epoch=EpochSettings(events=50))


class Swarm:
    """Replicas that take turns; each puts its transactions forward until they are ordered."""

    def __init__(
        self,
        founders: int,
        seed: int = 0,
        strangers: int = 0,
        settings: Settings = SHORT,
        weights: Sequence[int] | None = None,
    ) -> None:
        self.rng = random.Random(seed)
        keys = keys_of(founders + strangers)
        self.rng.shuffle(keys)
        self.keys = sorted(keys[:founders], key=lambda key: key.id) + keys[founders:]
        self.genesis = genesis_of(self.keys[:founders], weights, anchored=True, settings=settings)
        self.replicas = [Replica.found(self.genesis, key) for key in self.keys]
        self.rounds: list[list[RoundEffects]] = [[] for _ in self.keys]
        self.pending: list[list[tuple[TransactionTable, ...]]] = [[] for _ in self.keys]
        self.ids = [0] * len(self.keys)
        self.made: list[Event] = []
        self.closed: dict[int, ClosedEpoch] = {}  # by number, the same at all
        self.sealed: dict[int, SealedRecord] = {}  # by number
        self.time = START
        self.clocks: dict[int, int] = {}  # by member, where it is not the time

    def put(self, member: int, kind: str = "note", **fields: object) -> int:
        """Puts a transaction forward; its id."""
        number = self.ids[member]
        self.ids[member] += 1
        self.pending[member].append(({"type": kind, "id": number, **fields},))
        return number

    def agree(self, change: Change, *members: int) -> None:
        """The first member proposes, and when this is ordered the others approve."""
        first, *others = members
        number = self.put(first, "propose", change=change.table(), reason="")
        proposal = t.proposal_id(self.keys[first].id, number)
        while self.replicas[first].ledger.proposal(proposal) is None:
            self.run(1)
        for member in others:
            self.put(member, "ballot", proposal=proposal, approve=True)

    def run_until(self, condition: Callable[[Replica], bool], chatter: float = 0.3) -> Self:
        """Goes on until `condition(replica)` holds for every replica."""
        for _ in range(60):
            if all(condition(replica) for replica in self.replicas):
                return self
            self.run(10, chatter=chatter).settle()
        raise AssertionError("it never came")

    def present(self, member: int) -> bool:
        """Whether a replica is in the roster of its epoch."""
        return self.keys[member].id in self.replicas[member].roster

    def advance(self, member: int) -> None:
        for result in self.replicas[member].advance():
            self.rounds[member].append(result)
            if result.sealed is not None:
                self.sealed[result.sealed.record.number] = result.sealed
            if result.closed is not None:
                self.pending[member][:0] = result.closed.unreceived
                known = self.closed.setdefault(result.closed.record.number, result.closed)
                assert known.record.raw == result.closed.record.raw
                assert known.snapshot == result.closed.snapshot

    def turn(self, asker: int, other: int) -> None:
        replica = self.replicas[asker]
        sync(replica, self.replicas[other])
        self.advance(asker)
        if not self.present(asker):
            return
        newest = replica.newest(self.keys[other].id)
        self.time += self.rng.randrange(SECOND)
        groups, self.pending[asker] = self.pending[asker], []
        words = [entry for group in groups for entry in group]
        parents = [newest.hash] if newest and other != asker else []
        event = replica.create(self.clocks.get(asker, self.time), words, parents)
        self.made.append(event)
        assert event in replica.insert([event])
        self.advance(asker)

    def run(self, turns: int, members: Sequence[int] | None = None, chatter: float = 0.3) -> Self:
        members = range(len(self.keys)) if members is None else members
        for _ in range(turns):
            asker = self.rng.choice([member for member in members if self.present(member)] or list(members))
            if self.rng.random() < chatter:
                self.put(asker)
            self.turn(asker, self.rng.choice([member for member in members if member != asker] or [asker]))
            for member in members:
                if not self.present(member):
                    self.turn(member, asker)  # follows without a voice
        return self

    def settle(self) -> Self:
        for _ in range(6):
            for asker in range(len(self.keys)):
                for other in range(len(self.keys)):
                    while other != asker and sync(self.replicas[asker], self.replicas[other]):
                        pass
                    self.advance(asker)
        return self

    def agreement(self) -> list[RoundEffects]:
        """All have the same rounds, effects and digests; returns those of the first."""
        for rounds, replica in zip(self.rounds, self.replicas, strict=True):
            assert digests(rounds) == digests(self.rounds[0])
            assert [result.effects for result in rounds] == [result.effects for result in self.rounds[0]]
            assert replica.epoch_digest == self.replicas[0].epoch_digest
            assert replica.ledger.digest() == self.replicas[0].ledger.digest()
        return self.rounds[0]


def ordered_of(rounds: Iterable[RoundEffects]) -> list[OrderedEvent]:
    return [place for result in rounds for place in result.round.events]


def replay(swarm: Swarm, seed: int) -> tuple[Replica, list[RoundEffects]]:
    """A fresh replica gets all that was ever made, epoch by epoch, in random order and batches."""
    rng, replica = random.Random(seed), Replica.found(swarm.genesis)
    rounds: list[RoundEffects] = []
    while True:
        events = [event for event in swarm.made if event.epoch == replica.epoch_digest]
        rng.shuffle(events)
        before = replica.epoch_number
        while events and replica.epoch_number == before:
            batch, events = events[:17], events[17:]
            replica.insert(batch)
            rounds += replica.advance()
        if replica.epoch_number == before:
            return replica, rounds


@pytest.mark.parametrize("count", [1, 2, 3, 4, 7])
def test_epochs_follow_each_other_and_all_agree(count: int) -> None:
    swarm = Swarm(count, seed=count).run(500 if count > 1 else 250).settle()
    rounds = swarm.agreement()
    assert len(swarm.closed) >= 3
    assert [result.round.number for result in rounds] == list(range(1, len(rounds) + 1))
    ordered = ordered_of(rounds)
    assert [place.index for place in ordered] == list(range(len(ordered)))
    times = [place.time for place in ordered]
    assert times == sorted(set(times))
    for result in rounds:
        assert all(place.round == result.round.number for place in result.round.events)
        if result.closed is not None:
            record = result.closed.record
            assert record.ledger == result.digest
            assert record.round == result.round.number
            assert record.judges == tuple(judge.hash for judge in result.round.judges)
    for seed in range(2):
        replica, again = replay(swarm, seed)
        assert digests(again) == digests(rounds)
        assert replica.ledger.digest() == swarm.replicas[0].ledger.digest()


def test_what_was_not_received_acts_exactly_once() -> None:
    swarm = Swarm(4, seed=3)
    swarm.run(600, chatter=0.8)
    swarm.run_until(lambda replica: not replica.needs_rounds(), chatter=0)
    rounds = swarm.agreement()
    assert len(swarm.closed) >= 5
    ordered = Counter[tuple[MemberId, int]]()
    for place in ordered_of(rounds):
        for entry in place.event.transactions:
            if entry["type"] == "note":
                ordered[place.event.creator, entry["id"]] += 1
    put = {(event.creator, entry["id"]) for event in swarm.made for entry in event.transactions
           if entry["type"] == "note"}  # fmt: skip
    made = Counter((event.creator, entry["id"]) for event in swarm.made for entry in event.transactions
                   if entry["type"] == "note")  # fmt: skip
    again = sum(count > 1 for count in made.values())
    assert again > 5  # the closes did cut something off
    assert set(ordered) == put
    assert set(ordered.values()) == {1}


def test_every_record_is_sealed_within_the_order() -> None:
    swarm = Swarm(4, seed=8).run(500).run_until(lambda replica: replica.ledger.sealed is not None)
    swarm.agreement()
    assert len(swarm.closed) >= 4
    assert sorted(swarm.sealed) == sorted(swarm.closed)
    chain = [swarm.sealed[number] for number in sorted(swarm.sealed)]
    assert verify_chain(swarm.genesis, chain).digest == swarm.replicas[0].epoch_digest


@pytest.mark.parametrize("offset", range(0, 100, 11))
def test_a_roster_can_change_at_every_offset_of_an_epoch(offset: int) -> None:
    swarm = Swarm(5, seed=offset, strangers=1)
    swarm.run(offset, range(5))
    swarm.agree(Change("join", swarm.keys[5].id, weight=1, address=""), 0, 1, 2, 3, 4)
    swarm.run(120)
    swarm.agree(Change("leave", swarm.keys[0].id), 1, 2, 3, 4, 5)
    swarm.run_until(lambda replica: replica.ledger.roster_version == 4 and replica.ledger.sealed is not None)
    swarm.agreement()
    replica = swarm.replicas[1]
    assert swarm.keys[5].id in replica.roster
    assert swarm.keys[0].id not in replica.roster
    joined = [place.event for place in ordered_of(swarm.rounds[0]) if place.event.creator == swarm.keys[5].id]
    assert joined
    _, again = replay(swarm, offset)
    assert digests(again) == digests(swarm.rounds[0])
    chain = replica.ledger.chain_to(4)
    assert chain is not None
    assert verify_chain(swarm.genesis, chain, complete=False).roster.ids == replica.roster.ids


def test_the_events_of_a_removed_member_count_for_nothing() -> None:
    swarm = Swarm(5, seed=2)
    swarm.run(30)
    replica, key = swarm.replicas[1], swarm.keys[0]
    swarm.agree(Change("leave", key.id), 1, 2, 3, 4)
    swarm.run_until(lambda replica: key.id not in replica.roster)
    event = make_event(key, epoch=replica.epoch_digest, seq=0, self_parent=None, time=1)
    assert replica.insert([event]) == []
    assert replica.refused["the creator is not a member"] == 1
    with pytest.raises(RuntimeError, match="no key of a member"):
        swarm.replicas[0].create(1)


def test_a_late_replica_closes_epoch_after_epoch_from_what_is_served() -> None:
    swarm = Swarm(4, seed=5)
    late, seen = 3, 0
    for _ in range(12):
        swarm.run(45, range(3))
        others = swarm.replicas[0]
        if others.epoch_number > swarm.replicas[late].epoch_number:
            seen += 1
            assert others.find_epoch(swarm.replicas[late].epoch_digest) is not None  # not all have gone on
        for other in range(3):
            while sync(swarm.replicas[late], swarm.replicas[other]):
                swarm.advance(late)
            swarm.advance(late)
    assert seen >= 3
    swarm.settle()
    swarm.agreement()


def test_the_closed_epoch_is_served_until_all_went_on() -> None:
    swarm = Swarm(4, seed=6)
    while swarm.replicas[0].epoch_number == 0:
        swarm.run(10)
    swarm.settle()
    closed = swarm.genesis.digest
    swarm.run(60).settle()
    assert all(replica.find_epoch(replica.epoch_digest) is not None for replica in swarm.replicas)
    assert all(replica.find_epoch(closed) is None for replica in swarm.replicas)
    assert all(replica.find_epoch(bytes(32)) is None for replica in swarm.replicas)


def test_what_comes_late_of_a_closed_epoch_is_dropped_without_blame() -> None:
    swarm = Swarm(4, seed=7)
    while swarm.replicas[0].epoch_number == 0:
        swarm.turn(0, swarm.rng.randrange(1, 4))
        swarm.turn(swarm.rng.randrange(1, 4), 0)
    old = [event for event in swarm.made if event.epoch == swarm.genesis.digest]
    before = Counter(swarm.replicas[0].refused)
    assert swarm.replicas[0].insert(old) == []
    assert swarm.replicas[0].refused == before


def test_a_replica_that_resumes_has_the_same_future() -> None:
    swarm = Swarm(4, seed=9).run(400).settle()
    rounds = swarm.agreement()
    for number, closed in swarm.closed.items():
        replica = Replica.resume(swarm.genesis, None, closed.record, closed.snapshot)
        assert (replica.epoch_number, replica.epoch_digest) == (number, closed.record.digest)
        again: list[RoundEffects] = []
        while True:
            before = replica.epoch_number
            replica.insert([event for event in swarm.made if event.epoch == replica.epoch_digest])
            again += replica.advance()
            if replica.epoch_number == before:
                break
        assert digests(again) == digests(rounds)[closed.record.round :]


@pytest.mark.slow
def test_memory_stays_flat_over_twenty_epochs() -> None:
    swarm = Swarm(4, seed=1, settings=Settings(epoch=EpochSettings(events=500)))
    most = 0
    while swarm.replicas[0].epoch_number < 20:
        number = swarm.replicas[0].epoch_number
        while swarm.replicas[0].epoch_number == number:
            swarm.run(100)
        swarm.made.clear()
        for rounds in swarm.rounds:
            rounds.clear()
        swarm.closed.clear()
        gc.collect()
        live = gc.get_objects()
        most = max(most, sum(type(item) is Event for item in live))  # isinstance would ask proxies of others
        assert sum(type(item) is EpochEvents for item in live) <= 2 * len(swarm.replicas)
        del live
    assert most < 3 * 700  # one is shared by all replicas: the open epoch, and at most one closed


def test_nobody_is_blamed_for_an_event_that_came_after_its_epoch_was_forgotten() -> None:
    swarm = Swarm(4, seed=6).run(300).settle()
    old = [event for event in swarm.made if event.epoch == swarm.genesis.digest][:9]
    replica = swarm.replicas[0]
    assert replica.find_epoch(swarm.genesis.digest) is None
    assert replica.insert(old) == []
    assert replica.refused == {"the event is of another epoch or swarm": 9}
    assert replica.refusals() == []
