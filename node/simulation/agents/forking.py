"""Forks: a liar signs two events with one number, and whoever sees both proves it, with real signatures."""

from __future__ import annotations

import random

from consensus.event import make_event
from consensus.keys import SigningKey
from consensus.ledger.records.transactions import Evidence
from node.simulation.agents.order import Author
from node.simulation.agents.world import World


def make_evidence(key: SigningKey, epoch: bytes, time_ns: int) -> Evidence:
    """Return the proof that the owner of `key` has signed two first events of an epoch."""
    events = [make_event(key, epoch=epoch, seq=0, self_parent=None, time=time_ns + number) for number in range(2)]
    first, second = sorted((event.hash, event.header, event.signature) for event in events)
    return Evidence(0, first[1:], second[1:])


class ForkingAgent:
    """One liar that forks once in a run."""

    def __init__(self, world: World, author: Author, witnesses: list[Author]) -> None:
        """Set up the agent; one of the `witnesses` that is up will prove it."""
        self._world = world
        self._author = author
        self._witnesses = witnesses

    def begin(self, seconds: float) -> None:
        """Fork at some time in the first half of a run."""
        chance = random.Random(f"fork {self._world.seed} {self._author.id.hex()}")
        self._world.timeline.at(seconds * chance.uniform(0.05, 0.5), self._fork)

    def _fork(self) -> None:
        witness = next((entry for entry in self._witnesses if entry.id in self._world.order.present), None)
        if witness is None or self._author.id not in self._world.order.present:
            self._world.timeline.after(600.0, self._fork)
            return
        ledger = self._world.ledger
        witness.submit(make_evidence(self._author.key, ledger.epoch_digest, ledger.time))
