"""Shards of self-play games, as announced by whoever played them."""

from __future__ import annotations

from dataclasses import replace

from consensus.keys import MemberId
from consensus.ledger.records.entities import Place, Shard
from consensus.ledger.records.transactions import Games
from consensus.ledger.rules.claims import configuration_of, end
from consensus.ledger.state.state import RefusedError, State


def announce(state: State, place: Place, author: MemberId, news: Games) -> None:
    """Counts a new shard of a live self-play claim; the claim ends when all that it wished for is there."""
    configuration_of(state, news.configuration)
    claim = state.live((author, news.claim))
    if claim.kind != "selfplay" or claim.configuration != news.configuration or claim.model != news.model:
        raise RefusedError("games of another claim")
    if news.shard in state.shard_names:
        raise RefusedError("shard is known")
    total = _add(state, place, author, news)
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
        total=total,
    )


def _add(state: State, place: Place, author: MemberId, news: Games) -> int:
    """Adds the shard; returns the games that the configuration has now."""
    name = news.configuration
    shard = Shard(
        digest=news.shard,
        author=author,
        configuration=name,
        model=news.model,
        size=news.size,
        games=news.games,
        plies=news.plies,
        root=news.root,
        round=place.round,
    )
    state.shards[name].append(shard)
    state.shard_names[news.shard] = name
    state.shard_chain.add(shard.fingerprint)
    state.played[author] = state.played.get(author, 0) + news.games
    configuration = state.configurations[name]
    games, plies = configuration.games + news.games, configuration.plies + news.plies
    state.configurations[name] = replace(configuration, shards=configuration.shards + 1, games=games, plies=plies)
    return games
