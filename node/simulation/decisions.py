"""What people decide in a simulated swarm with `steering.rules`: settings, further configurations, pauses."""

import random
from collections.abc import Mapping

from consensus.keys import MemberId
from consensus.ledger import Ledger
from consensus.ledger.records.decisions import WORK_KINDS, SteeringChange
from consensus.settings import CONFIGURATION

SENSIBLE: Mapping[str, tuple[str, ...]] = {
    "selfplay.games": ("4", "8", "12"),
    "selfplay.simulations": ("8", "16", "32"),
    "selfplay.ceiling": ("16", "24"),
    "training.games": ("8", "12"),
    "training.steps": ("100", "300"),
    "match.p1": ("3/4", "7/10", "4/5"),
    "match.alpha": ("9/20", "2/5"),
    "match.limit_share": ("51/100", "11/20", "1"),
    "match.block_limit": ("4", "8"),
    "match.slot_blocks": ("1", "2"),
    "steering.floor": ("0", "20", "100"),
    "steering.quota": ("300", "1000"),
    "steering.curriculum": ("0", "200"),
    "steering.full_share": ("250", "1000"),
    "steering.families": ("none", "c8b1", "c8b1.c16b2"),
    "steering.turn_s": ("1", "5"),
}
"""Values that users propose. Of other ones they approve of none."""

_ADDED = ("hex8-3", "hexagonal-2", "square8-3")
_PROPOSE = 0.01  # the probability that a user proposes something, whenever it may
_RESUME = 0.1  # that it proposes that work goes on, while some is paused
_OWN = 0.3  # that a setting is set for one configuration, and that it is then removed there
_APPROVE = 0.9  # the probability that a user approves of what is sensible; of a pause it is half of that
_MOST_OPEN = 2  # proposals of a user: what it wants of the roster must have room, too
_KINDS = {"set": 10, "add": 1, "pause": 1}


class Decisions:
    """One user: what it proposes, and of what it approves. All randomness comes from the seed, in an own stream."""

    def __init__(self, seed: int, number: int) -> None:
        """Draw for the user of the node with this number."""
        self._random = random.Random(f"decisions {seed} {number}")

    def proposes(self, ledger: Ledger, me: MemberId) -> list[SteeringChange]:
        """Return what the user proposes now: mostly nothing."""
        if not ledger.settings.steering.rules or me not in ledger.roster:
            return []
        chance = self._random
        if ledger.pauses() and chance.random() < _RESUME:
            return [SteeringChange("resume")]
        if sum(proposal.author == me for proposal in ledger.proposals()) >= _MOST_OPEN or chance.random() >= _PROPOSE:
            return []
        kind = chance.choices(list(_KINDS), list(_KINDS.values()))[0]
        if kind == "add":
            return [SteeringChange("add", configuration=chance.choice(_ADDED))]
        names = [entry.name for entry in ledger.configurations()]
        if kind == "pause":
            work = chance.choice((None, *WORK_KINDS))
            return [SteeringChange("pause", work=work, configuration=chance.choice((None, *names)))]
        return [self._setting(names)]

    def _setting(self, names: list[str]) -> SteeringChange:
        chance = self._random
        setting = chance.choice(sorted(SENSIBLE))
        name = chance.choice(names) if chance.random() < _OWN else None
        value = None if name is not None and chance.random() < _OWN else chance.choice(SENSIBLE[setting])
        return SteeringChange("set", setting=setting, value=value, configuration=name)

    def approves(self, change: SteeringChange) -> bool:
        """Return whether the user votes for a change."""
        if change.kind == "resume":
            return True
        if change.kind == "add":
            return CONFIGURATION.fullmatch(change.configuration or "") is not None
        if change.kind == "pause":
            return self._random.random() < _APPROVE / 2
        values = SENSIBLE.get(change.setting or "", ())
        return (change.value is None or change.value in values) and self._random.random() < _APPROVE
