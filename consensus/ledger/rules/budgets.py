"""The search that a game of self-play gets. It is granted with the claim, and counted as its cost."""

from __future__ import annotations

from dataclasses import dataclass

from consensus.ledger.records.entities import Configuration
from consensus.ledger.rules.costs import cost_of_ply
from consensus.ledger.rules.decisions import settings_on
from consensus.ledger.state.state import State


@dataclass(frozen=True)
class Budget:
    """The simulations of each search, and what a ply costs with them; zeros where costs are not counted."""

    simulations: int
    ply_cost: int


def budget_of(state: State, configuration: Configuration) -> Budget:
    """Return the budget of a game with the canonical model of a configuration."""
    if not state.settings.steering.rules:
        return Budget(0, 0)
    settings = settings_on(state, configuration.name).selfplay
    simulations = settings.simulations_after(configuration.promotions)
    return Budget(simulations, cost_of_ply(configuration.model, configuration.name, simulations))
