"""Which configuration a member should play."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection

from consensus.keys import MemberId
from consensus.ledger.ledger import Ledger
from consensus.ledger.priorities.spread import spread
from consensus.ledger.priorities.work import Subject, Work
from consensus.ledger.records.entities import Configuration
from consensus.ledger.steering.amounts import claim_size, enough_games, expected_games, plays_at_random
from consensus.ledger.steering.capability import games_of_claim
from consensus.ledger.steering.shares import deficits


def wanted_selfplay(ledger: Ledger, member: MemberId, avoided: Collection[Subject]) -> Work | None:
    """Return self-play where games are needed most; None if enough games wait everywhere."""
    configurations = ledger.configurations()
    settings = {entry.name: ledger.settings_on(entry.name) for entry in configurations}
    coming, own = expected_games(ledger), _own_games(ledger, member)

    def games_of(configuration: Configuration) -> int:
        return configuration.new_games + coming[configuration.name]

    is_steered = bool(ledger.settings.steering.rules)
    behind = deficits(ledger) if is_steered else {}

    def need(configuration: Configuration) -> tuple[int, int, int, bytes]:
        name = configuration.name
        return -behind.get(name, 0), games_of(configuration), configuration.games, spread(member, name)

    contested = {entry.configuration for entry in ledger.candidates() if entry.was_trained or not is_steered}
    open_ = [
        entry
        for entry in configurations
        if ("selfplay", entry.name, None) not in avoided
        and not ledger.is_paused("selfplay", entry.name)
        # with the rules, what others claim and may never deliver only says where games are needed most
        and (entry.new_games + own[entry.name] if is_steered else games_of(entry))
        < enough_games(settings[entry.name], entry)
        and not (entry.name in contested and plays_at_random(settings[entry.name], entry))  # better games come soon
    ]
    chosen = min(open_, key=need, default=None)
    if chosen is None:
        return None
    usual = claim_size(settings[chosen.name], chosen)
    amount = games_of_claim(ledger, member, chosen, usual, own[chosen.name]) if is_steered else usual
    return Work(kind="selfplay", configuration=chosen.name, amount=amount, model=chosen.model.digest)


def _own_games(ledger: Ledger, member: MemberId) -> Counter[str]:
    """Return by configuration how many games the other worker slots of the member play now."""
    own: Counter[str] = Counter()
    for claim in ledger.claims_of(member):
        if claim.kind == "selfplay":
            own[claim.configuration] += max(0, claim.amount - claim.delivered)
    return own


def why_no_selfplay(ledger: Ledger, _member: MemberId, avoided: Collection[Subject]) -> str:
    """Return why `wanted_selfplay` has nothing for the member."""
    names = [entry.name for entry in ledger.configurations()]
    if all(ledger.is_paused("selfplay", name) for name in names):
        return "self-play is paused"
    if any(("selfplay", name, None) in avoided for name in names):
        return "its self-play failed lately"
    return "enough new games are there, or are played"
