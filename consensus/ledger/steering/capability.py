"""What a member can do: its own measured rates and its expected life, as its profile tells them.

A profile names rates per hour: by kind of work and configuration "selfplay-hex8-2" in games of models, "random-hex8-2"
in random games, "train-hex8-2" in steps; and for what was not measured, "evaluations" in units of cost
(`consensus.ledger.rules.costs`) and "positions" of training. A lie costs its author alone: a claim counts for others as
one of the usual size (`consensus.ledger.steering.amounts`), and who is slower than others trains only a little later.
"""

from __future__ import annotations

from consensus.keys import MemberId
from consensus.ledger.records.entities import Configuration
from consensus.ledger.rules.costs import EVALUATION
from consensus.ledger.steering.amounts import enough_games, mean_plies, plays_at_random
from consensus.ledger.views import Views
from consensus.settings import SHARD_GAMES

CLAIM_S = 90
"""A claim is sized to so many seconds of work: long enough that claims cost little, and little is lost with one."""

_LEAST_S = 20  # of a claim, however short the member's life is expected to be
_LATE_SHARE = 8
"""Members outside of the best third train once the new games are more than needed by one part in so many."""

_AWAY_S = 60
"""A member without an event for so long is not waited for."""


def rate_of(ledger: Views, member: MemberId, name: str) -> int:
    """Return a rate that the member announced, in units per hour; 0 if it announced none."""
    profile = ledger.profiles().get(member)
    return 0 if profile is None else profile.rates.get(name, 0)


def games_per_hour(ledger: Views, member: MemberId, configuration: Configuration) -> int:
    """Return how many games of a configuration the member plays in an hour; 0 if it does not say."""
    name = configuration.name
    is_random = plays_at_random(ledger.settings_on(name), configuration)
    if rate := rate_of(ledger, member, f"random-{name}" if is_random else f"selfplay-{name}"):
        return rate
    cost = mean_plies(configuration) * ledger.budget(name).ply_cost
    return rate_of(ledger, member, "evaluations") * EVALUATION // max(1, cost)


def positions_per_hour(ledger: Views, member: MemberId, configuration: str) -> int:
    """Return how many positions the member trains on in an hour; 0 if it does not say."""
    steps = rate_of(ledger, member, f"train-{configuration}")
    return steps * ledger.settings_on(configuration).training.batch or rate_of(ledger, member, "positions")


def claim_seconds(ledger: Views, member: MemberId) -> int:
    """Return how many seconds of work a claim of the member asks for: `CLAIM_S`, or less near the end of its life."""
    profile = ledger.profiles().get(member)
    if profile is None or profile.life == 0:
        return CLAIM_S
    left = profile.life - (ledger.clock - profile.place.clock) // 10**9
    return max(_LEAST_S, min(CLAIM_S, left // 2))


def games_of_claim(ledger: Views, member: MemberId, configuration: Configuration, usual: int) -> int:
    """Return the games that a claim of the member asks for: `usual` if it does not say how fast it is.

    It asks for no more than are needed, unless that is less than usual.
    """
    rate = games_per_hour(ledger, member, configuration)
    if rate == 0:
        return usual
    needed = enough_games(ledger.settings_on(configuration.name), configuration) - configuration.new_games
    return min(max(1, rate * claim_seconds(ledger, member) // 3600), max(usual, needed), SHARD_GAMES)


def lets_faster_ones_train(ledger: Views, member: MemberId, configuration: str, excess: int, needed: int) -> bool:
    """Return whether the member leaves a training to faster ones: those of the best third of all trainers.

    It waits for them only as long as the excess of new games over those needed is small. So nobody who announces a
    great rate and does not train keeps the others from it.
    """
    if excess * _LATE_SHARE >= needed:
        return False
    trainers = _free_trainers(ledger) | {member}
    rates = {other: positions_per_hour(ledger, other, configuration) for other in trainers}
    known = sorted((rate for rate in rates.values() if rate), reverse=True)
    if len(known) < 2:
        return False
    return rates[member] < known[(len(known) + 2) // 3 - 1]


def _free_trainers(ledger: Views) -> set[MemberId]:
    """Return the members that train, are there, and do not train now."""
    busy = {claim.author for claim in ledger.claims() if claim.kind == "train"}
    ages = ledger.since_last_event_ns()
    return {
        member
        for member, profile in ledger.profiles().items()
        if "train" in profile.roles and member not in busy and ages.get(member, _AWAY_S * 10**9) < _AWAY_S * 10**9
    }
