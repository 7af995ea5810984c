"""How many games a claim asks for, how many are enough, and how many a training waits for.

`settings` are those that hold for the configuration (`Views.settings_on`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

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

_LATELY_S = 300
_LATELY_NS = _LATELY_S * 10**9
"""In which a slot delivers three shards: a claim is for 90 s of work (`consensus.ledger.steering.capability`)."""


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


def expected_games(ledger: Views) -> Mapping[str, int]:
    """Return by configuration how many claimed games others should count on.

    Each claim counts as one of the usual size at most, so that a large one keeps nobody from the configuration. Of each
    member one claim counts there, and with `steering.rules` one more for each shard that it delivered there in the last
    `_LATELY_S`, as a machine with many worker slots does: what it claims besides may never come.
    """
    return ledger.remember(_expected_games)


def _expected_games(ledger: Views) -> Mapping[str, int]:
    entries = {entry.name: entry for entry in ledger.configurations()}
    sizes = {name: claim_size(ledger.settings_on(name), entry) for name, entry in entries.items()}
    claimed: Counter[tuple[MemberId, str]] = Counter()
    for claim in ledger.claims():
        if claim.kind == "selfplay":
            left = max(0, claim.amount - claim.delivered)
            claimed[claim.author, claim.configuration] += min(left, sizes[claim.configuration])
    expected = dict.fromkeys(entries, 0)
    delivered = {name: _shards_lately(ledger, name) for name in {name for _, name in claimed}}
    for (author, name), games in claimed.items():
        expected[name] += min(games, (1 + delivered[name][author]) * sizes[name])
    return expected


def _shards_lately(ledger: Views, name: str) -> Counter[MemberId]:
    """Return how many shards that count each member delivered lately; none without `steering.rules`."""
    found: Counter[MemberId] = Counter()
    if not ledger.genesis.settings.steering.rules:  # shards have no clock
        return found
    for shard in reversed(ledger.shards(name)):
        if shard.clock + _LATELY_NS <= ledger.clock:
            break
        if shard.standing == "counted":
            found[shard.author] += 1
    return found


def mean_plies(configuration: Configuration) -> int:
    """Return how many plies a game of a configuration has in the mean."""
    if configuration.games == 0:
        return usual_plies(configuration.name)
    return -(-configuration.plies // configuration.games)
