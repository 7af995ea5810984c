"""The loop from regression to rollback: is the canonical model weaker than an earlier one, and who is nominated then.

See `consensus.ledger.rules.rollbacks`. Whoever sees a regression first nominates the earlier model, in one step: it is
a candidate like others, and becomes canonical if it wins its match.
"""

from __future__ import annotations

from consensus.ledger.records.entities import Model
from consensus.ledger.rules.rollbacks import ModelComparison, comparisons
from consensus.ledger.steering.estimates import results_of
from consensus.ledger.steering.signals import FULL
from consensus.ledger.views import Views


def compared_models(ledger: Views, configuration: str) -> tuple[ModelComparison, ...]:
    """Return how the canonical model and earlier ones compare: by points against fixed opponents, and each other."""
    settings = ledger.settings_on(configuration)
    return ledger.recall(_compared_models, configuration, (settings, *results_of(ledger, configuration)))


def _compared_models(ledger: Views, configuration: str) -> tuple[ModelComparison, ...]:
    permille = ledger.settings_on(configuration).steering.regression_permille
    return comparisons(ledger.ratings(configuration), ledger.tallies(configuration), permille)


def regression(ledger: Views, configuration: str) -> int:
    """Return the part of the points, in thousandths, that the canonical model lost against an earlier one; 0: none."""
    settings = ledger.settings_on(configuration)
    return ledger.recall(_regression, configuration, (settings, *results_of(ledger, configuration)))


def _regression(ledger: Views, configuration: str) -> int:
    alarms = [entry for entry in compared_models(ledger, configuration) if entry.is_regression]
    return max(
        (max(0, FULL * (entry.before - entry.now) // (entry.blocks * entry.most)) for entry in alarms), default=0
    )


def nominee(ledger: Views, configuration: str) -> Model | None:
    """Return the model that somebody should nominate now, because the canonical one is weaker; None if there is none.

    Where it is weaker than two, that is the strongest one. There is none while one of them is a candidate already.
    """
    stronger = {
        entry.earlier.digest: entry.earlier for entry in compared_models(ledger, configuration) if entry.is_regression
    }
    open_ = {entry.model.digest for entry in ledger.candidates() if entry.configuration == configuration}
    if not stronger or stronger.keys() & open_:
        return None
    challengers = [entry.model.digest for entry in ledger.ratings(configuration).challengers]
    return stronger[min(stronger, key=challengers.index)]
