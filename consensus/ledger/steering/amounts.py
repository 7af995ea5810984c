"""How many games a claim asks for, how many are enough, and how many a training waits for.

`settings` are those that hold for the configuration (`Views.settings_on`).
"""

from __future__ import annotations

from collections import Counter

from consensus.keys import MemberId
from consensus.ledger.records.entities import Configuration
from consensus.ledger.records.transactions import UNIFORM
from consensus.ledger.rules.costs import usual_plies
from consensus.ledger.views import Views
from consensus.settings import SHARD_GAMES, Settings

_RANDOM_CLAIM = 4
"""Random games are quick: a claim asks for so many times as many as of others."""

_RANDOM_CLAIMS = 8
"""However few those are, so many claims are enough for all random games: it is the claims that take time."""


def claim_size(settings: Settings, configuration: Configuration) -> int:
    """Return the games that one claim asks for."""
    games = settings.selfplay.games
    if not plays_at_random(settings, configuration):
        return games
    return min(max(_RANDOM_CLAIM * games, settings.selfplay.random_games // _RANDOM_CLAIMS), SHARD_GAMES)


def enough_games(settings: Settings, configuration: Configuration) -> int:
    """Return the new games of a configuration beyond which nobody plays more."""
    if plays_at_random(settings, configuration):
        return settings.selfplay.random_games
    return settings.selfplay.ceiling


def games_of_training(settings: Settings, configuration: Configuration) -> int:
    """Return how many new games the next training needs."""
    if plays_at_random(settings, configuration):
        return settings.selfplay.random_games
    return settings.training.games


def plays_at_random(settings: Settings, configuration: Configuration) -> bool:
    """Return whether the configuration has no network yet, so that its games are random and quick."""
    return configuration.model.digest == UNIFORM and settings.selfplay.random_games > 0


def claimed_games(ledger: Views) -> Counter[tuple[MemberId, str]]:
    """Return how many claimed games have not been delivered yet, by claimant and by configuration."""
    claimed: Counter[tuple[MemberId, str]] = Counter()
    for claim in ledger.claims():
        if claim.kind == "selfplay":
            claimed[claim.author, claim.configuration] += max(0, claim.amount - claim.delivered)
    return claimed


def mean_plies(configuration: Configuration) -> int:
    """Return how many plies a game of a configuration has in the mean."""
    if configuration.games == 0:
        return usual_plies(configuration.name)
    return -(-configuration.plies // configuration.games)
