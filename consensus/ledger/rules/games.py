"""Shards of self-play games, announced by the members that played them."""

from __future__ import annotations

from consensus.keys import MemberId
from consensus.ledger.records.entities import Claim, Place, Shard
from consensus.ledger.records.entity import replace
from consensus.ledger.records.transactions import Games
from consensus.ledger.rules import shards
from consensus.ledger.rules.claims import configuration_of, end_claim
from consensus.ledger.state.state import RefusedError, State


def apply_games(state: State, place: Place, author: MemberId, transaction: Games) -> None:
    """Count a new shard of a live self-play claim; end the claim when all its games are delivered."""
    shards.check_facts(state, transaction)
    configuration_of(state, transaction.configuration)
    claim = state.live_claim((author, transaction.claim))
    if claim.kind != "selfplay" or claim.configuration != transaction.configuration or claim.model != transaction.model:
        raise RefusedError("games of another claim")
    if state.shard(transaction.shard) is not None:
        raise RefusedError("shard is known")
    total = _add(state, place, claim, transaction)
    claim = state.renew_lease(replace(claim, delivered=claim.delivered + transaction.games))
    if claim.delivered >= claim.amount:
        end_claim(state, claim.key)
    state.emit(
        "games",
        place,
        author,
        claim=transaction.claim,
        configuration=transaction.configuration,
        model=transaction.model,
        shard=transaction.shard,
        games=transaction.games,
        plies=transaction.plies,
        total=total,
    )


def _add(state: State, place: Place, claim: Claim, transaction: Games) -> int:
    """Add the shard, and return how many games the configuration has now."""
    name = transaction.configuration
    shard = Shard(
        digest=transaction.shard,
        author=claim.author,
        configuration=name,
        model=transaction.model,
        size=transaction.size,
        games=transaction.games,
        plies=transaction.plies,
        root=transaction.root,
        round=place.round,
        settings_version=claim.settings_version,
    )
    if state.settings.steering.rules:
        shard = shards.announced(state, claim, transaction, shard)
    state.add_shard(shard)
    state.shard_chain.add(shard.fingerprint)
    if shard.standing == "counted":
        shards.count(state, shard)
    return state.configurations[name].games
