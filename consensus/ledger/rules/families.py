"""The accounts of families: what each training cost, and what its promotion gained. Only with `steering.rules`."""

from __future__ import annotations

from consensus.ledger.records.entities import Candidacy
from consensus.ledger.records.families import FamilyRecord
from consensus.ledger.rules import decisions
from consensus.ledger.rules.costs import EVALUATION, cost_of_evaluation
from consensus.ledger.state.state import State
from consensus.ledger.state.table import Table

GAIN = 1000
"""The unit of a gain: a thousandth of the points of a match."""


def observe_end(state: State, candidacy: Candidacy, gain: int) -> None:
    """Take in that the match of a trained candidate ended; `gain` is 0 unless it was promoted."""
    if not state.settings.steering.rules or not candidacy.was_trained:
        return
    name, family = candidacy.configuration, candidacy.model.architecture
    names = decisions.settings_on(state, name).families
    kept = {key: record for key, record in state.families.items() if key[0] != name}
    for key, record in state.families.items():
        if key[0] == name and record.family in names:
            kept[key] = record.faded()
    if family in names:  # anybody can train anything, but only these are compared
        before = kept.get((name, family)) or FamilyRecord(configuration=name, family=family)
        kept[name, family] = before.add(cost_of_training(state, name, family), gain * GAIN)
    state.families = Table(kept)


def gain_of(score: int, blocks: int, most: int) -> int:
    """Return the share of the points above one half, in thousandths; not less than 1, as it was promoted."""
    return max(1, score * 1000 // max(1, blocks * most) - 500)


def cost_of_training(state: State, configuration: str, family: str) -> int:
    """Return what a training costs: one evaluation by its network for each position of each step."""
    training = decisions.settings_on(state, configuration).training
    return max(1, training.steps * training.batch * cost_of_evaluation(family, configuration) // EVALUATION)
