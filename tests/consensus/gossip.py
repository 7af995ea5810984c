"""A swarm of replicas that gossip without a network, in one seeded order; some members may fork."""

import random
from collections.abc import Iterable, Sequence
from typing import Self, TypeAlias

from consensus.event import Event, make_event
from consensus.genesis import Genesis, make_genesis
from consensus.keys import SigningKey
from consensus.ledger.records.transactions import Evidence
from consensus.ordered import Judge
from consensus.outcome import RoundEffects
from consensus.preimages import Preimages
from consensus.replica import Replica
from consensus.roster import RosterMember
from consensus.settings import Settings

SECOND = 10**9
START = 1_700_000_000 * SECOND

RoundDigest: TypeAlias = tuple[int, tuple[Judge, ...], list[tuple[bytes, int, int, int]], bytes]


def keys_of(count: int) -> list[SigningKey]:
    """`count` keys in roster order."""
    return sorted((SigningKey(bytes([number + 1]) * 32) for number in range(count)), key=lambda key: key.id)


def genesis_of(
    keys: Sequence[SigningKey],
    weights: Sequence[int] | None = None,
    anchored: bool = False,
    settings: Settings | None = None,
) -> Genesis:
    """The genesis of a swarm with these weights, and with anchors if its members are to reveal preimages."""
    weights = weights or [1] * len(keys)
    anchors = [Preimages(key, 0).anchor if anchored else None for key in keys]
    members = [RosterMember(*member) for member in zip((key.id for key in keys), weights, anchors, strict=True)]
    return make_genesis("test", members, settings or Settings())


def sync(asker: Replica, other: Replica, limit: int = 1000) -> list[Event]:
    """One round trip of gossip: what `asker` lacks comes over; returns what was attached."""
    served = other.find_epoch(asker.epoch_digest)
    return asker.insert(served.events_for_peer(asker.tips(), limit, asker.wanted())) if served else []


class Discreet(Replica):
    """Tells nothing of the forks that it sees, so that the DAG with them goes on."""

    def pending_evidence(self) -> list[Evidence]:
        return []


class Gossip:
    """Replicas that take turns: one syncs with another, then makes an event on the other's newest.

    Unless they are `discreet`, a fork ends the epoch and costs the forker its weight.
    """

    def __init__(
        self,
        count: int,
        seed: int = 0,
        weights: Sequence[int] | None = None,
        forkers: Sequence[int] = (),
        anchored: bool = False,
        discreet: bool = True,
    ) -> None:
        self.rng = random.Random(seed)
        self.keys = keys_of(count)
        self.genesis = genesis_of(self.keys, weights, anchored)
        kind = Discreet if discreet else Replica
        self.replicas = [kind.found(self.genesis, key) for key in self.keys]
        self.forkers = forkers
        self.time = START
        self.ids = 0
        self.rounds: list[list[RoundEffects]] = [[] for _ in self.keys]
        self.made: list[Event] = []  # every event, in the order in which it was made

    def run(self, turns: int, members: Sequence[int] | None = None) -> Self:
        """Lets random pairs among `members` gossip."""
        members = list(range(len(self.keys))) if members is None else members
        for _ in range(turns):
            asker = self.rng.choice(members)
            self.turn(asker, self.rng.choice([m for m in members if m != asker] or [asker]))
        return self

    def turn(self, asker: int, other: int) -> None:
        replica = self.replicas[asker]
        parents = []
        if other != asker:
            sync(replica, self.replicas[other])
            newest = replica.newest(self.keys[other].id)
            parents = [newest.hash] if newest else []
        self.time += self.rng.randrange(SECOND)
        self.ids += 1
        transactions = [{"type": "note", "id": self.ids}] if self.rng.random() < 0.5 else []
        if asker in self.forkers and self.rng.random() < 0.3:
            event = self.forked(asker, parents)
        else:
            event = replica.create(self.time, transactions, parents)
        self.made.append(event)
        assert event in replica.insert([event])
        self.rounds[asker] += replica.advance()

    def forked(self, member: int, parents: Sequence[bytes]) -> Event:
        """An event that continues an older event of `member`, or none."""
        replica, key = self.replicas[member], self.keys[member]
        own = [event for event in replica.dag.events if event.creator == key.id]
        base = self.rng.choice([None, *own[-3:]])
        return make_event(
            key,
            epoch=replica.epoch_digest,
            seq=base.seq + 1 if base else 0,
            self_parent=base.hash if base else None,
            other_parents=tuple(parents),
            time=max(self.time, base.time + 1) if base else self.time,
        )

    def settle(self) -> Self:
        """Everybody gets everything."""
        for _ in range(3):
            for asker, replica in enumerate(self.replicas):
                for other in self.replicas:
                    if other is not replica:
                        while sync(replica, other):
                            pass
                self.rounds[asker] += replica.advance()
        return self


def digests(rounds: Iterable[RoundEffects]) -> list[RoundDigest]:
    """What replicas must agree on: number, judges, events, times and ledger digest of each round."""
    return [
        (
            item.round.number,
            item.round.judges,
            [(o.event.hash, o.round, o.time, o.index) for o in item.round.events],
            item.digest,
        )
        for item in rounds
    ]
