"""How long work takes: the plies of games, the evaluations of a ply, and the rates of a machine."""

from __future__ import annotations

from consensus.ledger import Ledger
from consensus.ledger.records.entities import Claim
from consensus.ledger.records.transactions import UNIFORM
from consensus.ledger.rules import costs
from consensus.ledger.state.state import UNIFORM_MODEL
from node.simulation.agents.machines import Machine

_PLIES = {"square8": 70, "hex8": 80, "square19": 800, "hexagonal": 1000}  # of a game for two
_MORE_PLIES = 0.15  # of these, for each further player
_RANDOM_PLY = 0.2  # evaluations that a random ply costs
_START_S = {"selfplay": 1.0, "train": 8.0, "match": 2.0, "rate": 2.0}  # to fetch what it takes, and to begin


def plies_of_game(configuration: str) -> int:
    """Return how many plies a game has."""
    board, _, count = configuration.partition("-")
    return round(_PLIES[board] * (1 + _MORE_PLIES * (int(count) - 2)))


def evaluations_of_game(ledger: Ledger, claim: Claim) -> float:
    """Return how many evaluations a game of a claim of self-play takes."""
    plies = plies_of_game(claim.configuration)
    if claim.model == UNIFORM:
        return plies * _RANDOM_PLY
    return float(plies * _simulations_of(ledger, claim))


def _simulations_of(ledger: Ledger, claim: Claim) -> int:
    return claim.simulations or ledger.selfplay_settings(claim.configuration, claim.model).simulations


def cost_of_ply(ledger: Ledger, claim: Claim) -> int:
    """Return what a ply of a claim of self-play costs as the ledger counts it, whether it does or not."""
    model = UNIFORM_MODEL if claim.model == UNIFORM else ledger.configuration(claim.configuration).model
    return costs.cost_of_ply(model, claim.configuration, _simulations_of(ledger, claim))


def seconds_of(ledger: Ledger, claim: Claim, machine: Machine) -> float:
    """Return how long a machine works on a claim."""
    if claim.kind == "selfplay":
        games_s = claim.amount * evaluations_of_game(ledger, claim)
        return _START_S["selfplay"] + games_s / machine.evaluations_per_s
    if claim.kind == "train":
        return _START_S["train"] + _positions_of(ledger, claim) / machine.positions_per_s
    contest = ledger.contest(claim.candidate or b"")
    simulations = 0 if contest is None else contest.settings.simulations
    evaluations = claim.amount * plies_of_game(claim.configuration) * simulations
    return _START_S[claim.kind] + evaluations / machine.evaluations_per_s


def _positions_of(ledger: Ledger, claim: Claim) -> int:
    """Return on how many positions a training steps; the first networks of a configuration are several."""
    settings = ledger.settings_on(claim.configuration, claim.settings_version).training
    if claim.model != UNIFORM:
        return settings.steps * settings.batch
    return settings.first_networks * (settings.first_steps or settings.steps) * settings.batch
