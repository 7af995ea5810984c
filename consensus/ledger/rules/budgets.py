"""The search that a game of self-play gets. It is granted with the claim, and counted as its cost."""

from __future__ import annotations

from dataclasses import dataclass

from consensus.ledger.records.entities import Configuration
from consensus.ledger.rules.costs import cost_of_ply
from consensus.ledger.rules.decisions import settings_on
from consensus.ledger.rules.exploration import FULL, exploration_of
from consensus.ledger.state.state import State


@dataclass(frozen=True)
class Budget:
    """How the games are to be played, and what a ply costs then; zeros where costs are not counted."""

    simulations: int  # of each search
    opening_plies: int  # random plies at the beginning of a game at most
    noise: int  # the scale of the root noise, in thousandths
    ply_cost: int


def budget_of(state: State, configuration: Configuration) -> Budget:
    """Return the budget of a game with the canonical model of a configuration."""
    if not state.settings.steering.rules:
        return Budget(0, 0, 0, 0)
    settings = settings_on(state, configuration.name).selfplay
    simulations = settings.simulations_after(configuration.promotions)
    cost = cost_of_ply(configuration.model, configuration.name, simulations)
    more = FULL + exploration_of(state, configuration.name).level
    return Budget(simulations, settings.opening_plies * more // FULL, more, cost)
