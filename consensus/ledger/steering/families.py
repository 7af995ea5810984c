"""Which architecture family is trained next: training goes to what gains most per cost, and each has a floor.

`steering.families` names the families, such as "c16b2.c32b4"; "none" means `training.architecture` alone. Each has its
own lineage (`consensus.ledger.rules.lineage`). So a larger network takes over when it pays, and not before.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from consensus.ledger.records.entities import Configuration
from consensus.ledger.steering.signals import FULL
from consensus.ledger.views import Views

FLOOR = 100
"""The least share of a family, in thousandths; less where there are more than ten."""


@dataclass(frozen=True, kw_only=True)
class FamilyShare:
    """The share of one family in the trainings of a configuration, with what it follows from."""

    family: str
    cost: int
    gain: int
    share: Fraction  # of all costs
    deficit: Fraction  # what it lacks of its share


def family_shares(ledger: Views, configuration: Configuration) -> tuple[FamilyShare, ...]:
    """Return the share of each family, in the order of the settings. Where nothing has gained, all are equal."""
    names = ledger.settings_on(configuration.name).families
    records = {name: ledger.family(configuration.name, name) for name in names}
    rates = {name: Fraction(record.gain, max(1, record.cost)) for name, record in records.items()}
    total = sum(rates.values())
    floor = min(Fraction(FLOOR, FULL), Fraction(1, len(names)))
    rest = 1 - floor * len(names)
    shares = {name: floor + rest * (rate / total if total else Fraction(1, len(names))) for name, rate in rates.items()}
    spent = sum(record.cost for record in records.values())
    return tuple(
        FamilyShare(
            family=name,
            cost=record.cost,
            gain=record.gain,
            share=shares[name],
            deficit=shares[name] * spent - record.cost,
        )
        for name, record in records.items()
    )


def next_family(ledger: Views, configuration: Configuration) -> str:
    """Return the family that lacks most of its share; of equal ones the first."""
    only = ledger.settings_on(configuration.name).families
    if len(only) == 1:
        return only[0]
    return max(family_shares(ledger, configuration), key=lambda entry: entry.deficit).family
