"""Custody: the games of a shard count once other members hold it, so that they outlive its author.

Only where `steering.custodians` is more than 0. Who should hold a shard follows from its digest by rendezvous hashing:
each member has a number for each shard, and those with the largest ones come first. So everybody finds the same
members, and one that goes leaves its place to the next, and nothing else moves. Members without a vote come after all
others, and those that tell that nobody can reach them come last, as nobody could fetch from them.

A custodian fetches the shard, verifies it and says `held`. Once `steering.custodians` members that are there have said
so (fewer in a swarm with fewer others), the shard is safe, and its games count at the end of that round. A custodian
that says nothing for `steering.custody_s` holds up nobody for longer: then the next one in the order is asked, too. A
shard that is not safe after `GIVEN_UP` times as long is lost: its author is gone, or gives it to nobody, and its games
never count. A member of which nothing was ordered for `steering.custody_s` is not there; others are asked to hold
what it held, until it is back.

Whoever says `held` and cannot give the shard is found by those that want to train on it (`rules.shards`).
"""

from __future__ import annotations

from collections.abc import Mapping, Set
from hashlib import sha256
from itertools import islice

from consensus.keys import MemberId
from consensus.ledger.records.entities import Place, Shard
from consensus.ledger.records.entity import replace
from consensus.ledger.records.transactions import Held
from consensus.ledger.rules import shards
from consensus.ledger.state.state import MemberProfile, RefusedError, State

GIVEN_UP = 8  # times `custody_s`
_MORE = 3  # are asked besides those that are needed, one after the other
_SECOND_NS = 10**9


def order(state: State, digest: bytes) -> list[MemberId]:
    """Return all members in the order in which they are to hold a blob, whether they are there or not."""
    return list(_order(state, digest))


def _order(state: State, digest: bytes) -> tuple[MemberId, ...]:
    """Return the same; it is computed once for each blob while the members are the same."""
    roster, hidden = state.roster, state.profiles.recall(_hidden)
    basis = roster.digest, hidden
    return state.custody_orders.recall(basis, digest, lambda blob: tuple(order_of(roster.weights, blob, hidden)))


def _hidden(profiles: Mapping[MemberId, MemberProfile]) -> frozenset[MemberId]:
    return frozenset(member for member, profile in profiles.items() if profile.hidden)


def order_of(weights: Mapping[MemberId, int], digest: bytes, hidden: Set[MemberId] = frozenset()) -> list[MemberId]:
    """Return the members with these weights in the order in which they are to hold a blob."""
    return sorted(weights, key=lambda member: (member in hidden, not weights[member], -rank(digest, member), member))


def rank(digest: bytes, member: MemberId) -> int:
    """Return the number of a member for a shard: members with larger ones come first."""
    return int.from_bytes(sha256(b"ringrift/custody/1" + digest + member).digest()[:8])


def present(state: State) -> frozenset[MemberId]:
    """Return the members that can hold something now: they take part, and something of them was ordered lately."""
    oldest = state.clock - state.settings.steering.custody_s * _SECOND_NS
    absent = {*state.epoch.leaving, *filter(state.is_silenced, state.convictions)}
    heard = [member for member, clock in state.last_event_clocks.items() if clock > oldest]
    return frozenset(heard) - absent


def needed(state: State, there: Set[MemberId], author: MemberId) -> int:
    """Return how many others have to hold a shard of a member; as many as are there if these are fewer."""
    return min(state.settings.steering.custodians, len(there) - (author in there))


def asked(state: State, there: Set[MemberId], shard: Shard) -> tuple[MemberId, ...]:
    """Return the members that are to hold a shard now, the first ones first; nobody if its games will not count."""
    number = state.settings.steering.custodians
    if number == 0 or shard.standing in ("struck", "lost"):
        return ()
    times = (state.clock - shard.clock) // (state.settings.steering.custody_s * _SECOND_NS)

    def first(key: tuple[bytes, MemberId, int]) -> tuple[MemberId, ...]:
        digest, author, count = key
        others = (member for member in _order(state, digest) if member in there and member != author)
        return tuple(islice(others, count))

    basis = there, state.roster.digest, state.profiles.recall(_hidden)
    return state.custodians.recall(basis, (shard.digest, shard.author, number + min(times, _MORE)), first)


def apply_held(state: State, place: Place, author: MemberId, transaction: Held) -> None:
    """Take in that a member holds shards: all that it names, or none if it is not to hold one of them."""
    named = [state.shard(digest) for digest in transaction.shards]
    kept = [shard for shard in named if shard is not None and author not in shard.holders]
    if len(kept) < len(named):
        raise RefusedError("held is known, or its shard is not")
    there = present(state)
    if any(author not in asked(state, there, shard) for shard in kept):
        raise RefusedError("others are to hold the shard")
    for shard in kept:
        holders = (member for member in shard.holders if member in there)
        shards.put(state, replace(shard, holders=(*holders, author)))
    state.emit("held", place, author, shards=len(kept))


def settle(state: State, place: Place) -> None:
    """Count what has become safe, and give up what has not for too long."""
    if not state.unsafe:
        return
    there = present(state)
    unsafe = [shard for digest in state.unsafe if (shard := state.shard(digest)) is not None]
    latest = state.clock - GIVEN_UP * state.settings.steering.custody_s * _SECOND_NS
    for shard in sorted(unsafe, key=lambda shard: (shard.clock, shard.digest)):
        held = len(there.intersection(shard.holders))
        if held >= needed(state, there, shard.author):
            shards.make_safe(state, shard)
            _emit(state, "safe", place, shard, held)
        elif shard.clock <= latest:
            shards.put(state, replace(shard, standing="lost"))
            _emit(state, "lost", place, shard, held)


def _emit(state: State, kind: str, place: Place, shard: Shard, held: int) -> None:
    state.emit(
        kind,
        place,
        shard.author,
        configuration=shard.configuration,
        shard=shard.digest,
        games=shard.games,
        holders=held,
        total=state.configurations[shard.configuration].games,
    )
