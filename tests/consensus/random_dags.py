"""Random DAGs from a seed: any size of swarm, weights, clocks, schedules, forks and late branches."""

import random
from dataclasses import dataclass
from typing import TypeAlias

DagEvent: TypeAlias = tuple[int, int | None, list[int], int, bytes]
"""Creator, self-parent, other-parents, time, hash."""


@dataclass(frozen=True)
class RandomDag:
    """A DAG, and whether its forkers weigh less than a third, so that what is decided stays decided."""

    seed: int
    weights: list[int]
    events: list[DagEvent]  # parents first
    safe: bool
    coin_period: int

    def __str__(self) -> str:
        return f"seed {self.seed}: {len(self.weights)} members of {self.weights}, {len(self.events)} events"


def random_dag(seed: int, largest: int = 10, each: int = 9) -> RandomDag:
    """The DAG of `seed`: at most `largest` members, and at most 60 events plus `each` per member."""
    rng = random.Random(seed)
    members = rng.randint(1, largest)
    weights = random_weights(rng, members)
    safe = rng.random() < 0.9
    forkers = random_forkers(rng, weights, safe) if rng.random() < 0.6 else []
    events = Maker(rng, members, forkers).make(rng.randint(5, 60 + each * members))
    return RandomDag(seed, weights, events, safe, rng.choice((2, 3, 4, 10)))


def random_weights(rng: random.Random, members: int) -> list[int]:
    kind = rng.randrange(5)
    if kind == 0:
        return [1] * members
    if kind == 1:
        return [rng.randint(1, 9) for _ in range(members)]
    if kind == 2:
        weights = [rng.choice((0, 1, 1, 2)) for _ in range(members)]
        return weights if sum(weights) else [1] * members
    if kind == 3:
        top = (2**63 - 1) // members
        return [rng.randint(top - 9, top) for _ in range(members)]
    return [10 ** rng.randrange(6) for _ in range(members)]


def random_forkers(rng: random.Random, weights: list[int], safe: bool) -> list[int]:
    forkers: list[int] = []
    weight = 0
    for member in rng.sample(range(len(weights)), len(weights)):
        few = 3 * (weight + weights[member]) < sum(weights)
        if (few or not safe) and rng.random() < 0.7:
            forkers.append(member)
            weight += weights[member]
    return forkers


class Maker:
    """Makes events one by one; the habits of the swarm are drawn once."""

    def __init__(self, rng: random.Random, members: int, forkers: list[int]) -> None:
        self.rng = rng
        self.members = members
        self.forkers = forkers
        self.events: list[DagEvent] = []
        self.own: list[list[int]] = [[] for _ in range(members)]
        self.most_parents = rng.choice((1, 1, 2, 3, 6))
        self.lonely = rng.choice((0, 0, 0.1, 0.4))
        self.lag = rng.choice((0, 0, 0.2, 0.7))
        self.parting = rng.choice((0, 0, 0.1))  # chance per event that the swarm parts or meets again
        self.camps = [0] * members
        self.fork_rate = rng.choice((0.1, 0.5))
        self.eagerness = [rng.choice((1, 1, 1, 5, 0.2)) for _ in range(members)]
        self.orderly = rng.random() < 0.4
        self.tick = rng.choice((1, 10**9))
        self.coarse = rng.choice((1, 1, 1000))
        self.skew = [rng.choice((0, 0, -(2**62), 2**61)) for _ in range(members)]

    def make(self, count: int) -> list[DagEvent]:
        for index in range(count):
            if self.rng.random() < self.parting:
                self.camps = [self.rng.randrange(2) * self.rng.randrange(2) for _ in self.camps]
            in_turn = index % self.members
            any_member = self.rng.choices(range(self.members), self.eagerness)[0]
            self.add(in_turn if self.orderly else any_member)
        return self.events

    def add(self, creator: int) -> None:
        self_parent = self.pick_self_parent(creator)
        others = [] if self.rng.random() < self.lonely else self.pick_others(creator)
        time = len(self.events) * self.tick // self.coarse + self.skew[creator]
        if self_parent is not None:
            time = max(time, self.events[self_parent][3] + 1)
        self.own[creator].append(len(self.events))
        self.events.append((creator, self_parent, others, time, self.rng.randbytes(32)))

    def pick_self_parent(self, creator: int) -> int | None:
        own = self.own[creator]
        if creator in self.forkers and self.rng.random() < self.fork_rate:
            return self.rng.choice([None, *own[-4:], *own[-2:]])
        return own[-1] if own else None

    def pick_others(self, creator: int) -> list[int]:
        near = [m for m in range(self.members) if m != creator and self.own[m] and self.camps[m] == self.camps[creator]]
        chosen = self.rng.sample(near, min(len(near), self.rng.randint(1, self.most_parents)))
        return [self.pick_event(member) for member in chosen]

    def pick_event(self, member: int) -> int:
        """The newest event of `member`, an older one, or the newest on one of a forker's branches."""
        own = self.own[member]
        if self.rng.random() < self.lag:
            return self.rng.choice(own)
        return self.rng.choice(own[-3:]) if member in self.forkers else own[-1]
