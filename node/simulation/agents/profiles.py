"""The profile of a machine: its roles, and the rates that it has measured, which a liar multiplies."""

from __future__ import annotations

from collections.abc import Mapping

from consensus.ledger.records import transactions as t
from consensus.ledger.records.entities import Claim
from consensus.ledger.records.transactions import UNIFORM
from node.simulation.agents.machines import ROLES, Machine
from node.simulation.agents.order import Author
from node.simulation.agents.world import World
from node.work.rates import Rates, Size, have_changed

_AGAIN_S = 60.0
"""Least time between two profiles of which the second tells other rates, as in `node/work/lifecycle.py`."""


class ProfileAgent:
    """Announces one machine's profile, and again when its measured rates have changed."""

    def __init__(self, world: World, author: Author, machine: Machine) -> None:
        self._world = world
        self._author = author
        self._machine = machine
        self._rates = Rates()
        self._told: Mapping[str, int] = {}
        self._told_s = 0.0
        self._since_s = 0.0  # since when the machine is up

    def begin(self) -> None:
        """Announce the machine, which has just come up."""
        self._since_s = self._world.timeline.now_s
        self._tell()

    def observe(self, claim: Claim, seconds: float) -> None:
        """Take in how long the machine worked on a claim."""
        if not self._world.ledger.settings.steering.rules:
            return
        size = _size_of(claim)
        if size is not None:
            self._rates.observe(size, seconds)
        is_time = self._world.timeline.now_s - self._told_s >= _AGAIN_S
        if is_time and have_changed(self._told, self._rates.announced()):
            self._tell()

    def _tell(self) -> None:
        machine, now_s = self._machine, self._world.timeline.now_s
        self._told, self._told_s = self._rates.announced(), now_s
        life_s = max(1, round(machine.life_s - (now_s - self._since_s))) if machine.tells_life else 0
        factor = machine.character.rate_factor
        self._author.submit(
            t.Profile(
                self._author.next_id(),
                roles=ROLES,
                device=machine.device,
                software=bytes(32),
                rates={name: factor * rate for name, rate in self._told.items()},
                cost=machine.cost,
                life=life_s,
            )
        )


def _size_of(claim: Claim) -> Size | None:
    """Return the size of the job of a claim, as `node.work.rates.size_of` names it; None of what no profile tells."""
    if claim.kind == "selfplay":
        search = "random" if claim.model == UNIFORM else f"{claim.simulations} simulations"
        return Size(f"selfplay {claim.configuration} {search}", claim.amount)
    if claim.kind == "train" and claim.model != UNIFORM:
        return Size(f"train {claim.configuration} {claim.family}", claim.amount)
    return None
