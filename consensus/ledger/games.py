"""Shards of self-play games, as announced by whoever played them."""

from __future__ import annotations

from dataclasses import replace

from consensus.keys import MemberId
from consensus.ledger.claims import configuration_of, end
from consensus.ledger.entities import Place, Shard
from consensus.ledger.state import RefusedError, State
from consensus.ledger.transactions import Games


def announce(state: State, place: Place, author: MemberId, news: Games) -> None:
    """Counts a new shard of a live self-play claim; the claim ends when all that it wished for is there."""
    configuration = configuration_of(state, news.configuration)
    claim = state.live((author, news.claim))
    if claim.kind != "selfplay" or claim.configuration != news.configuration or claim.model != news.model:
        raise RefusedError("games of another claim")
    if news.shard in state.shard_names:
        raise RefusedError("shard is known")
    shard = Shard(
        news.shard,
        author,
        news.configuration,
        news.model,
        news.size,
        news.games,
        news.plies,
        news.root,
        place.round,
    )
    state.shards[news.configuration].append(shard)
    state.shard_names[news.shard] = news.configuration
    state.shard_chain.add(shard.fingerprint)
    configuration = replace(
        configuration,
        shards=configuration.shards + 1,
        games=configuration.games + news.games,
        plies=configuration.plies + news.plies,
    )
    state.configurations[news.configuration] = configuration
    claim = state.renew(replace(claim, delivered=claim.delivered + news.games))
    if claim.delivered >= claim.amount:
        end(state, claim.key)
    state.emit(
        "games",
        place,
        author,
        claim=news.claim,
        configuration=news.configuration,
        model=news.model,
        shard=news.shard,
        games=news.games,
        plies=news.plies,
        total=configuration.games,
    )
