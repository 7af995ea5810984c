"""What a member can do, and for how much: its measured rates, its cost and its expected life, as its profile tells.

A profile names rates per hour: by kind of work and configuration "selfplay-hex8-2" in games of models, "random-hex8-2"
in random games, "train-hex8-2" in steps; and for what was not measured, "evaluations" in units of cost
(`consensus.ledger.rules.costs`) and "positions" of training. A lie costs its author alone: a claim counts for others as
one of the usual size (`consensus.ledger.steering.amounts`), and who comes after others trains only a little later.
"""

from __future__ import annotations

from collections.abc import Sequence

from consensus.keys import MemberId
from consensus.ledger.records.entities import Candidacy, Configuration
from consensus.ledger.records.ratings import Contest
from consensus.ledger.rules.costs import EVALUATION, cost_of_ply
from consensus.ledger.state.state import SMALL_SWARM
from consensus.ledger.steering.amounts import enough_games, mean_plies, plays_at_random
from consensus.ledger.views import Views
from consensus.settings import SHARD_GAMES, players

CLAIM_S = 90
"""A claim is sized to so many seconds of work: long enough that claims cost little, and little is lost with one."""

_LEAST_S = 20  # of a claim, however short the member's life is expected to be
_EQUAL = 9, 10
"""Rates that differ by no more than this are equally good."""

_LATE_SHARE = 8
"""Members outside of the best third train once the new games are more than needed by one part in so many."""

_AWAY_S = 60
"""A member without an event for so long is not waited for."""


def rate_of(ledger: Views, member: MemberId, name: str) -> int:
    """Return a rate that the member announced, in units per hour; 0 if it announced none."""
    profile = ledger.profiles().get(member)
    return 0 if profile is None else profile.rates.get(name, 0)


def cost_per_hour(ledger: Views, member: MemberId) -> int:
    """Return what an hour of the member's work costs, in millionths of the swarm's currency; 0 if it does not say."""
    profile = ledger.profiles().get(member)
    return 0 if profile is None else profile.cost


def games_per_hour(ledger: Views, member: MemberId, configuration: Configuration) -> int:
    """Return how many games of a configuration the member plays in an hour; 0 if it does not say."""
    name = configuration.name
    is_random = plays_at_random(ledger.settings_on(name), configuration)
    if rate := rate_of(ledger, member, f"random-{name}" if is_random else f"selfplay-{name}"):
        return rate
    return evaluations_per_hour(ledger, member) // max(1, _cost_of_game(ledger, configuration))


def evaluations_per_hour(ledger: Views, member: MemberId) -> int:
    """Return how many thousandths of an evaluation the member does in an hour; 0 if it does not say.

    If its profile does not name that, it is what it does at least where it has played games of models.
    """
    if rate := rate_of(ledger, member, "evaluations"):
        return rate * EVALUATION
    measured = (
        rate_of(ledger, member, f"selfplay-{entry.name}") * _cost_of_game(ledger, entry)
        for entry in ledger.configurations()
        if not plays_at_random(ledger.settings_on(entry.name), entry)
    )
    return min(filter(None, measured), default=0)


def _cost_of_game(ledger: Views, configuration: Configuration) -> int:
    return mean_plies(configuration) * ledger.budget(configuration.name).ply_cost


def can_play_slot(ledger: Views, member: MemberId, contest: Contest) -> bool:
    """Return whether the member plays a slot of a match or series in the time for which it may hold one.

    So a slow machine holds up no match on a large board. It may try if it does not say how fast it is.
    """
    configuration = ledger.configuration(contest.configuration)
    rate = games_per_hour(ledger, member, configuration) * ledger.budget(configuration.name).ply_cost
    if rate == 0 or len(ledger.roster) <= SMALL_SWARM:
        return True
    model = contest.model if isinstance(contest, Candidacy) else configuration.model
    games = contest.settings.slot_blocks * players(contest.configuration)
    cost = games * cost_of_ply(model, contest.configuration, contest.settings.simulations)
    return 3600 * cost <= ledger.settings.steering.slot_s * rate


def positions_per_hour(ledger: Views, member: MemberId, configuration: str) -> int:
    """Return how many positions the member trains on in an hour; 0 if it does not say."""
    steps = rate_of(ledger, member, f"train-{configuration}")
    return steps * ledger.settings_on(configuration).training.batch or rate_of(ledger, member, "positions")


def claim_seconds(ledger: Views, member: MemberId) -> int:
    """Return how many seconds of work a claim of the member asks for: `CLAIM_S`, or less near the end of its life."""
    left = life_left(ledger, member)
    return CLAIM_S if left is None else max(_LEAST_S, min(CLAIM_S, left // 2))


def life_left(ledger: Views, member: MemberId) -> int | None:
    """Return for how many seconds the member is still expected to be there, 0 or more; None if it does not say."""
    profile = ledger.profiles().get(member)
    if profile is None or profile.life == 0:
        return None
    return max(0, profile.life - (ledger.clock - profile.place.clock) // 10**9)


def games_of_claim(ledger: Views, member: MemberId, configuration: Configuration, usual: int, own: int) -> int:
    """Return the games that a claim of the member asks for: `usual` if it does not say how fast it is.

    It asks for no more than are needed besides the `own` that it plays already, unless that is less than usual.
    """
    rate = games_per_hour(ledger, member, configuration)
    if rate == 0:
        return usual
    needed = enough_games(ledger.settings_on(configuration.name), configuration) - configuration.new_games - own
    return min(max(1, rate * claim_seconds(ledger, member) // 3600), max(usual, needed), SHARD_GAMES)


def lets_better_ones_train(ledger: Views, member: MemberId, configuration: str, excess: int, needed: int) -> bool:
    """Return whether the member leaves a training to those that come first (`first_trainers`).

    It waits for them only as long as the excess of new games over those needed is small. So nobody who announces a
    great rate, or a low cost, and does not train keeps the others from it.
    """
    if excess * _LATE_SHARE >= needed:
        return False
    first = first_trainers(ledger, configuration, member)
    return bool(first) and member not in first


def first_trainers(ledger: Views, configuration: str, member: MemberId | None = None) -> tuple[MemberId, ...]:
    """Return who trains first: the best third of all that could train now, the best first; nobody if less than two can.

    The faster ones are better; of those whose rates are within a tenth, the cheaper ones. `member` counts as one that
    could train.
    """
    trainers = _free_trainers(ledger) | (set() if member is None else {member})
    rates = {other: positions_per_hour(ledger, other, configuration) for other in trainers}
    known = sorted((rate for rate in rates.values() if rate), reverse=True)
    if len(known) < 2:
        return ()
    classes = _classes(known)
    ranks = {other: (classes[rate], cost_per_hour(ledger, other), -rate) for other, rate in rates.items() if rate}
    last = sorted(ranks.values())[(len(known) + 2) // 3 - 1]
    return tuple(
        sorted((other for other, rank in ranks.items() if rank <= last), key=lambda other: (ranks[other], other))
    )


def _classes(rates: Sequence[int]) -> dict[int, int]:
    """Return the class of each rate, 0 for the best. A class begins with the best rate that is in none yet.

    Args:
        rates: the best first.
    """
    classes: dict[int, int] = {}
    best, number = rates[0], 0
    for rate in rates:
        if rate * _EQUAL[1] < best * _EQUAL[0]:
            best, number = rate, number + 1
        classes[rate] = number
    return classes


def _free_trainers(ledger: Views) -> set[MemberId]:
    """Return the members that train, are there, and do not train now."""
    busy = {claim.author for claim in ledger.claims() if claim.kind == "train"}
    ages = ledger.since_last_event_ns()
    return {
        member
        for member, profile in ledger.profiles().items()
        if "train" in profile.roles and member not in busy and ages.get(member, _AWAY_S * 10**9) < _AWAY_S * 10**9
    }
