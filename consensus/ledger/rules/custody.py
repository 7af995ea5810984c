"""Custody: the games of a shard count once other members hold it, so that they outlive its author.

Only where `steering.custodians` is more than 0. Who should hold a shard follows from its digest by rendezvous hashing:
each member has a number for each shard, and those with the largest ones come first. So everybody finds the same
members, and one that goes leaves its place to the next, and nothing else moves. Members without a vote come after all
others, and those that tell that nobody can reach them come last, as nobody could fetch from them.

With `steering.custody_disk_gib` the disk counts, too, as members tell it in their profiles. Who tells twice as many
free GiB as the setting has two numbers for each shard, of which the larger one counts, and so holds twice as many; up
to `MOST_CHANCES`. Who tells fewer than the setting comes after all others that can be reached. Who tells nothing has
one number.

A custodian fetches the shard, verifies it and says `held`. Once `steering.custodians` members that are there have said
so (fewer in a swarm with fewer others), the shard is safe, and its games count at the end of that round. A custodian
that says nothing for `steering.custody_s` holds up nobody for longer: then the next one in the order is asked, too. A
shard that is not safe after `GIVEN_UP` times as long is lost: its author is gone, or gives it to nobody, and its games
never count. A member of which nothing was ordered for `steering.custody_s` is not there; others are asked to hold
what it held, until it is back.

Whoever says `held` and cannot give the shard is found by those that want to train on it (`rules.shards`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Set
from functools import cache
from hashlib import sha256
from itertools import islice
from types import MappingProxyType

from consensus.keys import MemberId
from consensus.ledger.records.entities import Place, Shard
from consensus.ledger.records.entity import replace
from consensus.ledger.records.transactions import Held, Profile
from consensus.ledger.rules import shards
from consensus.ledger.state.state import MemberProfile, RefusedError, State

GIVEN_UP = 8  # times `custody_s`
MOST_CHANCES = 8  # numbers of a member for a shard
_MORE = 3  # are asked besides those that are needed, one after the other
_SECOND_NS = 10**9
_NO_CHANCES: Mapping[MemberId, int] = MappingProxyType({})


def order(state: State, digest: bytes) -> list[MemberId]:
    """Return all members in the order in which they are to hold a blob, whether they are there or not."""
    return list(_order(state, digest))


def _order(state: State, digest: bytes) -> tuple[MemberId, ...]:
    """Return the same; it is computed once for each blob while the basis is the same."""
    weights, basis = state.roster.weights, _basis(state)

    def make(blob: bytes) -> tuple[MemberId, ...]:
        return tuple(order_of(weights, blob, basis[1], dict(basis[2])))

    return state.custody_orders.recall(basis, digest, make)


def _basis(state: State) -> tuple[bytes, frozenset[MemberId], tuple[tuple[MemberId, int], ...]]:
    """Return all on which the order for a blob depends: the roster, who is hidden, the chances that are not one."""
    unit_gib = state.settings.steering.custody_disk_gib
    chances = state.profiles.recall(_chances(unit_gib)) if unit_gib else ()
    return state.roster.digest, state.profiles.recall(_hidden), chances


def _hidden(profiles: Mapping[MemberId, MemberProfile]) -> frozenset[MemberId]:
    return frozenset(member for member, profile in profiles.items() if profile.hidden)


@cache
def _chances(unit_gib: int) -> Callable[[Mapping[MemberId, MemberProfile]], tuple[tuple[MemberId, int], ...]]:
    """Return what makes of the profiles how many numbers each member has that has not one."""

    def make(profiles: Mapping[MemberId, MemberProfile]) -> tuple[tuple[MemberId, int], ...]:
        found = ((member, chances_of(profile.disk, unit_gib)) for member, profile in sorted(profiles.items()))
        return tuple((member, count) for member, count in found if count != 1)

    return make


def chances_of(disk_gib: int | None, unit_gib: int) -> int:
    """Return how many numbers a member has for each shard, if it tells so much disk: 0, 1, 2, 4 or `MOST_CHANCES`."""
    if disk_gib is None or unit_gib == 0:
        return 1
    return min(MOST_CHANCES, (1 << (disk_gib // unit_gib).bit_length()) >> 1)


def order_of(
    weights: Mapping[MemberId, int],
    digest: bytes,
    hidden: Set[MemberId] = frozenset(),
    chances: Mapping[MemberId, int] = _NO_CHANCES,
) -> list[MemberId]:
    """Return the members with these weights in the order in which they are to hold a blob.

    `chances` has how many numbers each has that has not one.
    """

    def key(member: MemberId) -> tuple[bool, bool, bool, int, MemberId]:
        count = chances.get(member, 1)
        return member in hidden, count == 0, not weights[member], -rank(digest, member, count), member

    return sorted(weights, key=key)


def rank(digest: bytes, member: MemberId, chances: int = 1) -> int:
    """Return the number of a member for a shard, the largest of so many: members with larger ones come first."""
    found = _number(b"ringrift/custody/1" + digest + member)
    for chance in range(1, chances):
        found = max(found, _number(b"ringrift/custody/2" + digest + member + bytes([chance])))
    return found


def _number(data: bytes) -> int:
    return int.from_bytes(sha256(data).digest()[:8])


def check_profile(state: State, profile: Profile) -> None:
    """Raise RefusedError if a profile tells what nobody asked for, as programs do that do not know the setting."""
    if profile.disk is not None and not state.settings.steering.custody_disk_gib:
        raise RefusedError("malformed", "unknown field")


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

    basis = there, _basis(state)
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
