"""The partners of a training: configurations on whose games it makes a share of its steps, and that may get its model.

They are the nearest configurations on the same board, or on the other board of its shape, whose canonical models are of
the same architecture.
"""

from __future__ import annotations

from consensus.ledger.ledger import Ledger
from consensus.ledger.records.transactions import UNIFORM
from consensus.ledger.rules.relations import RELATIONS, relation_between

MOST = 2
"""Partners of a training: its own games should stay the most."""


def joint_partners(
    ledger: Ledger, configuration: str, family: str, start: bytes, version: int | None = None
) -> tuple[str, ...]:
    """Return the partners of a training of this family that starts from the model `start`, the nearest first.

    `version` is that of the settings. A training that starts from nothing, or from a sibling, has none.
    """
    if not ledger.settings.steering.rules or ledger.settings_on(configuration, version).steering.joint_share == 0:
        return ()
    if start == UNIFORM or ledger.configuration(configuration).model.digest == UNIFORM:
        return ()
    found = [
        (RELATIONS.index(relation_between(configuration, other.name)), other.name)
        for other in ledger.configurations()
        if other.name != configuration and other.model.architecture == family
    ]
    return tuple(name for place, name in sorted(found)[:MOST] if RELATIONS[place] != "other")
