"""The nominations of a machine: of an earlier model, where ratings say that it was stronger than the canonical one."""

from __future__ import annotations

import random
from functools import partial

from consensus.ledger.steering.regression import nominee
from node.simulation.agents.order import Author
from node.simulation.agents.world import World
from node.work.nominating import nomination

_TURN_S = 60.0  # within which all that are up have looked; the first one nominates


class NominatingAgent:
    """One machine's nominations."""

    def __init__(self, world: World, author: Author, number: int) -> None:
        self._world = world
        self._author = author
        self._chance = random.Random(f"nominations {world.seed} {number}")
        self._looks: set[str] = set()  # configurations at which it will look

    def look_at(self, configuration: str) -> None:
        """Look, after a while, whether somebody should nominate an earlier model."""
        if configuration not in self._looks:
            self._looks.add(configuration)
            self._world.timeline.after(self._chance.uniform(0.0, _TURN_S), partial(self._look, configuration))

    def _look(self, configuration: str) -> None:
        self._looks.remove(configuration)
        ledger, me = self._world.ledger, self._author.id
        if me not in self._world.order.present or ledger.waits_for_turn(me, configuration):
            return
        model = nominee(ledger, configuration)
        mine = [entry for entry in ledger.candidates() if (entry.author, entry.configuration) == (me, configuration)]
        if model is not None and not mine:
            self._author.submit(nomination(ledger, self._author.next_id(), configuration, model))
