"""Lineages: training goes on from the newest weights of a family, promoted or not, so that no work is thrown away.

A candidate that was trained is the next point of its lineage. After `training.rejections` candidates in a row that
their matches rejected, the next training starts from the canonical model again, and a new lineage begins with it. A
promotion sets the count back. A model that is nominated without training, such as an earlier one, changes nothing until
it is promoted; then its family goes on from it. Where there is no canonical network yet, training starts from that of
the sibling (`siblings`).
"""

from __future__ import annotations

from consensus.ledger.records.entities import Candidacy, Claim, Configuration, Lineage, Model
from consensus.ledger.records.entity import replace
from consensus.ledger.rules import decisions, siblings
from consensus.ledger.state.state import UNIFORM_MODEL, State

FAMILIES_KEPT = 8  # of a configuration, besides those that the settings name: anybody can train another


def start_of(state: State, name: str, family: str) -> Model:
    """Return the model with which a training of this family starts now; `uniform` if it starts from scratch."""
    configuration = state.configurations[name]
    lineage = configuration.lineages.get(family)
    if lineage is not None and lineage.rejections < decisions.settings_on(state, name).training.rejections:
        return lineage.model
    if configuration.model == UNIFORM_MODEL:
        sibling = siblings.best_in(state, name, family)
        return UNIFORM_MODEL if sibling is None else sibling.configuration.model
    return fallback_of(configuration, family)


def fallback_of(configuration: Configuration, family: str) -> Model:
    """Return the model with which a training starts that cannot go on from its lineage: the canonical one, or none."""
    return configuration.model if configuration.model.architecture == family else UNIFORM_MODEL


def begin_or_continue(state: State, claim: Claim, candidacy: Candidacy) -> None:
    """Make a trained candidate the newest point of its lineage: of the old one if it started there, else of a new."""
    name, family = candidacy.configuration, claim.family
    before = state.configurations[name].lineages.get(family)
    goes_on = before is not None and candidacy.model.parent == before.model.digest
    rejections = before.rejections if before is not None and goes_on else 0
    _put(state, name, family, Lineage(candidacy.model, candidacy.state, rejections, candidacy.place.index))


def count_rejection(state: State, candidacy: Candidacy) -> None:
    """Count that the match of a trained candidate rejected it."""
    lineage = state.configurations[candidacy.configuration].lineages.get(candidacy.model.architecture)
    if candidacy.was_trained and lineage is not None:
        again = replace(lineage, rejections=lineage.rejections + 1)
        _put(state, candidacy.configuration, candidacy.model.architecture, again)


def observe_promotion(state: State, candidacy: Candidacy) -> None:
    """Set the count back. A promoted model that was not trained for this is what its family goes on from."""
    name, family = candidacy.configuration, candidacy.model.architecture
    lineage = state.configurations[name].lineages.get(family)
    if not candidacy.was_trained:
        _put(state, name, family, Lineage(candidacy.model, None, 0, candidacy.place.index))
    elif lineage is not None:
        _put(state, name, family, replace(lineage, rejections=0))


def _put(state: State, name: str, family: str, lineage: Lineage) -> None:
    configuration = state.configurations[name]
    lineages = {**configuration.lineages, family: lineage}
    own = decisions.settings_on(state, name).families
    others = sorted((entry.index, other) for other, entry in lineages.items() if other not in own)
    for _, other in others[:-FAMILIES_KEPT]:
        del lineages[other]
    state.configurations[name] = replace(configuration, lineages=dict(sorted(lineages.items())))
