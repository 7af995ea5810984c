"""The lives of machines: they join by ballot, leave for a while, finishing their work or not, and come back."""

from __future__ import annotations

import random

from consensus.ledger.records import transactions as t
from consensus.ledger.records.changes import Change
from node.simulation.agents.machines import Machine
from node.simulation.agents.order import Author
from node.simulation.agents.profiles import ProfileAgent
from node.simulation.agents.voting import VotingAgent
from node.simulation.agents.work import WorkAgent
from node.simulation.agents.world import World

_AWAY_S = 1800.0  # mean
_LEAST_AWAY_S = 60.0
_VANISHES = 0.5  # the share of departures without a word
_NEEDED = 0.75  # of the weight stays: with 2/3 nothing would be decided
_AGAIN_S = 300.0  # after which a machine that was needed tries to leave again


class Presence:
    """One machine's life, and the agents that live with it."""

    def __init__(
        self,
        world: World,
        author: Author,
        machine: Machine,
        *,
        profile: ProfileAgent,
        work: WorkAgent,
        votes: VotingAgent,
    ) -> None:
        self._world = world
        self._author = author
        self._machine = machine
        self._profile = profile
        self._work = work
        self._votes = votes
        self._chance = random.Random(f"presence {world.seed} {machine.number}")
        self._has_begun = False

    def begin(self) -> None:
        """Come up: announce what the machine can do, work and vote, until it is time to go."""
        world = self._world
        if self._author.id not in world.ledger.roster or self._author.id in world.order.present:
            return
        self._has_begun = True
        world.order.present[self._author.id] = None
        self._profile.begin()
        world.measures.usage.begin_capable(self._author.id, world.timeline.now_s)
        self._votes.begin()
        self._work.begin()
        world.timeline.after(self._machine.draw_session_s(self._chance), self._leave)

    def observe_epoch(self) -> None:
        """Take in the roster of a new epoch: a newcomer comes up, and a machine that is no longer a member stops."""
        is_member = self._author.id in self._world.ledger.roster
        if is_member and not self._has_begun:
            self.begin()
        elif not is_member and self._author.id in self._world.order.present:
            self._stop()

    def propose(self, newcomer: Author) -> None:
        """Propose that a machine joins, if this one is up."""
        if self._author.id in self._world.order.present:
            change = Change("join", newcomer.id, weight=1, address=f"{newcomer.id.hex()[:12]}.example:4710")
            self._author.submit(t.Propose(self._author.next_id(), change, "a new machine"))

    def _leave(self) -> None:
        present = self._world.order.present
        if self._author.id not in present:
            return
        if len(present) - 1 < _NEEDED * len(self._world.ledger.roster):
            self._world.timeline.after(_AGAIN_S, self._leave)
        elif self._chance.random() < _VANISHES:
            self._stop()
            self._come_back()
        else:
            self._work.drain(self._go)

    def _stop(self) -> None:
        self._world.order.forget_waiting(self._author.id)
        self._work.vanish()
        self._votes.end()
        del self._world.order.present[self._author.id]

    def _go(self) -> None:
        self._votes.end()
        if self._author.id in self._world.order.present:  # it may have been voted out meanwhile
            del self._world.order.present[self._author.id]
            self._come_back()

    def _come_back(self) -> None:
        pause_s = max(_LEAST_AWAY_S, self._chance.expovariate(1 / _AWAY_S))
        self._world.timeline.after(pause_s, self.begin)
