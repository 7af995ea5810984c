"""Where members are: what was agreed on, and beside it what this node saw, what they say, and what others say of them.

A member that moves is to be found before the others have voted on its new address. So members tell each other where
they are, and pass that on (`node.membership.address_exchange`). None of it is believed: TLS pins keys, so a lie costs
a connection that fails. That liars cannot make this node open many of them is a matter of three rules:

- A node keeps one claim of each member, and one hint of each source about each member, for members that it knows.
- What rests on a member's word alone is tried as often as that member's budget allows (`may_try`): the member is the
  signer of a claim, or the source of a hint.
- It is not tried at addresses of this machine or its link (`is_fit`), unless this node is itself on loopback only.
"""

import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import trio

from consensus.keys import MemberId, SigningKey
from consensus.roster import ADDRESS_LIMIT, MEMBERS_LIMIT
from node.config.address import ANYWHERE, Address, is_for_everybody, is_loopback, parse_address
from node.gossip.messages import MessageError
from node.membership.address_book import AddressBook
from node.membership.address_messages import AddressNews, Hint
from node.membership.claims import MAX_NUMBER, AddressClaim, make_claim
from node.system.change_counter import ChangeCounter
from node.system.token_bucket import TokenBucket
from node.transport import Candidate

TRIES_PER_S = 0.2  # connections to which one member's word may lead, on average
TRIES_AT_ONCE = 16.0
HINTS_TRIED = 2  # of those about one member, at a time

_NOTHING = -1  # before the first change, 0, which is what was remembered


@dataclass(frozen=True, kw_only=True)
class RememberedPlace:
    """What outlives a restart of what is known about a member's place; "" and None where nothing is."""

    reached: str = ""  # where it last answered
    named: str = ""  # as agreed on, or as a person named it
    claim: AddressClaim | None = None


@dataclass(kw_only=True)
class _Place:
    """What is known about the place of one member."""

    kept: RememberedPlace = field(default_factory=RememberedPlace)
    host: str = ""  # from which it last connected
    hints: dict[MemberId, str] = field(default_factory=dict)  # by source
    change: int = 0  # the number of the last change of what is told to others; 0: it was remembered
    told_by: MemberId | None = None  # who told that; None: this node saw it


class Whereabouts:
    """`Places` by all that is known. `own` returns the addresses of this node, which may change."""

    def __init__(
        self,
        *,
        key: SigningKey,
        genesis: bytes,
        address_book: AddressBook,
        own: Callable[[], Sequence[str]],
        time_ns: Callable[[], int],
        chance: random.Random,
        remembered: Mapping[MemberId, RememberedPlace],
    ) -> None:
        self.address_book = address_book
        self.changes = ChangeCounter()  # of what others are told, or what is to be remembered
        self._key, self._genesis, self._own, self._time_ns = key, genesis, own, time_ns
        self._random = chance
        self._places = {member: _Place(kept=kept) for member, kept in remembered.items()}
        self._told: dict[MemberId, int] = {}  # by peer: the number of the last change that it was told
        self._tries: dict[MemberId, TokenBucket] = {}  # by source: connections to where it said
        self._alerts: dict[MemberId, TokenBucket] = {}  # by source: hints because of which a member is asked sooner
        self._is_local = False

    # `Places`.

    def candidates(self, peer: MemberId) -> Sequence[Candidate]:
        """See `Places.candidates`."""
        place = self._places.get(peer) or _Place()
        seen, named = place.kept.reached, [*self.address_book.named(peer), place.kept.named]
        sure = {seen, *named}
        said = [Candidate(address, peer) for address in self._claimed(place) if address not in sure]
        hints = [Candidate(address, source) for source, address in place.hints.items() if address not in sure]
        hints = self._random.sample(hints, min(HINTS_TRIED, len(hints)))
        distinct: dict[str, Candidate] = {}
        for candidate in (Candidate(seen), *map(Candidate, named), *said, *hints):
            if candidate.address:
                distinct.setdefault(candidate.address, candidate)
        return list(distinct.values())

    def may_try(self, candidate: Candidate) -> bool:
        """See `Places.may_try`."""
        return candidate.source is None or _spend(self._tries, candidate.source)

    def is_fit(self, host: str) -> bool:
        """See `Places.is_fit`. On a machine whose swarm is all on loopback, loopback is where members are."""
        return is_for_everybody(host) or (self._is_local and is_loopback(host))

    def observe_reached(self, peer: MemberId, address: str) -> None:
        """See `Places.observe_reached`."""
        place = self._place(peer)
        if place is None or place.kept.reached == address:
            return
        place.kept = replace(place.kept, reached=address)
        self.changes.increment()
        if self._news(peer, place).hints:  # otherwise others know as much
            place.change, place.told_by = self.changes.count, None

    # What is seen and told.

    def observe_connection(self, peer: MemberId, host: str) -> None:
        """Take in from which host (a numeric address) a member has opened a connection."""
        place = self._place(peer)
        if place is not None:
            place.host = host

    def observe_roster(self) -> None:
        """Keep in step with the roster: remember the addresses that were agreed on, and forget old sources.

        A new address that was agreed on is tried first, before the place where the member was reached until then.
        """
        roster = self.address_book.roster
        for member in dict.fromkeys((*roster.ids, *self.address_book.sponsors, *self.address_book.founders)):
            place, named = self._place(member), self.address_book.address(member)
            if place is not None and named and place.kept.named != named:
                place.kept = replace(place.kept, named=named, reached="")
                self.changes.increment()
        others = [member for member in self._places if member not in roster and member != self._key.id]
        for member in others[: max(0, len(others) - MEMBERS_LIMIT)]:
            del self._places[member]
        for place in self._places.values():
            place.hints = {source: address for source, address in place.hints.items() if source in roster}
        for source in [source for source in self._tries.keys() | self._alerts.keys() if source not in self._places]:
            self._tries.pop(source, None)
            self._alerts.pop(source, None)
        self._told = {peer: change for peer, change in self._told.items() if peer in roster}

    def observe_news(self, source: MemberId, news: AddressNews) -> set[MemberId]:
        """Take in what a peer tells; return the members that may be reached at another place now.

        Raise MessageError if a claim was not signed by its member.
        """
        found = {claim.member for claim in news.claims if self._observe_claim(source, claim)}
        return found | {hint.member for hint in news.hints if self._observe_hint(source, hint)}

    def _observe_claim(self, source: MemberId, claim: AddressClaim) -> bool:
        place = self._place(claim.member)
        if place is None or (place.kept.claim is not None and claim.number <= place.kept.claim.number):
            return False
        if not claim.is_signed(self._genesis):
            raise MessageError("an address claim is not signed by the member that it is about")
        self._set_claim(place, claim, source)
        if claim.member != self._key.id:
            return True
        self.update_own()  # an earlier run of this node had other addresses
        return False

    def _observe_hint(self, source: MemberId, hint: Hint) -> bool:
        place = self._place(hint.member)
        if place is None or hint.member in (self._key.id, source) or place.hints.get(source) == hint.address:
            return False
        if not self.is_fit(parse_address(hint.address).host):
            return False
        place.hints[source] = hint.address
        is_new = hint.address not in (place.kept.reached, *self.address_book.named(hint.member))
        return is_new and _spend(self._alerts, source)

    def own_addresses(self) -> Sequence[str]:
        """Return where this node says that it is."""
        claim = (self._places.get(self._key.id) or _Place()).kept.claim
        return () if claim is None else claim.addresses

    def update_own(self) -> None:
        """Sign a new claim if this node's own addresses are not those of the last one."""
        addresses = tuple(address for address in self._own() if len(address) <= ADDRESS_LIMIT)
        self._is_local = bool(addresses) and all(is_loopback(parse_address(address).host) for address in addresses)
        place = self._places.setdefault(self._key.id, _Place())
        last = place.kept.claim
        if last is not None and last.addresses == addresses:
            return
        number = max(self._time_ns(), 0 if last is None else last.number + 1)
        if number < MAX_NUMBER:
            claim = make_claim(self._key, self._genesis, number, addresses)
            self._set_claim(place, claim, None)

    # What is told.

    def news_for(self, peer: MemberId) -> tuple[AddressNews, int]:
        """Return what the peer was not told yet, and the number to give to `observe_told` when it was."""
        told = self._told.get(peer, _NOTHING)
        if told == self.changes.count:
            return AddressNews(), told
        news = [
            self._news(member, place)
            for member, place in self._places.items()
            if place.change > told and member != peer and place.told_by != peer
        ]
        return _joined(news), self.changes.count

    def observe_told(self, peer: MemberId, change: int) -> None:
        """Take in that the peer knows what there was to tell up to this change."""
        self._told[peer] = change

    def observe_forgotten(self, peer: MemberId) -> None:
        """Take in that the peer may have forgotten what it was told: all of it is news again."""
        self._told.pop(peer, None)

    def answer(self, wanted: Iterable[MemberId]) -> AddressNews:
        """Return all that may help to find these members."""
        return _joined(self._everything(member) for member in wanted)

    def remembered(self) -> dict[MemberId, RememberedPlace]:
        """Return what is to outlive a restart."""
        return {member: place.kept for member, place in self._places.items() if place.kept != RememberedPlace()}

    def _news(self, member: MemberId, place: _Place) -> AddressNews:
        """Return of a member what others cannot know from the roster and swarm.toml; its own word if it is this node.

        All others have a member's word from itself, unless it moved.
        """
        known, claim, reached = self.address_book.named(member), place.kept.claim, place.kept.reached
        has_moved = claim is not None and not set(claim.addresses) <= set(known)
        claims = [claim] if claim is not None and (has_moved or member == self._key.id) else []
        is_new = reached and reached not in known and (claim is None or reached not in claim.addresses)
        return AddressNews(claims, [Hint(member, reached)] if is_new else [])

    def _everything(self, member: MemberId) -> AddressNews:
        place = self._places.get(member) or _Place()
        claim, address = place.kept.claim, place.kept.reached or self.address_book.address(member)
        return AddressNews([claim] if claim is not None else [], [Hint(member, address)] if address else [])

    # The rest.

    def _place(self, member: MemberId) -> _Place | None:
        """Return the place of a member that is known, None for others: whoever has a key can sign claims."""
        if member not in self._places and self._is_known(member):
            self._places[member] = _Place()
        return self._places.get(member)

    def _is_known(self, member: MemberId) -> bool:
        book = self.address_book
        return any(member in known for known in (book.roster, book.sponsors, book.founders, book.former))

    def _set_claim(self, place: _Place, claim: AddressClaim, told_by: MemberId | None) -> None:
        self.changes.increment()
        place.kept = replace(place.kept, claim=claim)
        place.change, place.told_by = self.changes.count, told_by

    def _claimed(self, place: _Place) -> list[str]:
        claim = place.kept.claim
        addresses = [] if claim is None else [parse_address(address) for address in claim.addresses]
        meant = [Address(place.host, at.port) if at.host in ANYWHERE else at for at in addresses]
        return [str(at) for at in meant if at.host and self.is_fit(at.host)]


def _spend(budgets: dict[MemberId, TokenBucket], source: MemberId) -> bool:
    """Return whether the source's word may have one more effect; if so, count it."""
    budget = budgets.setdefault(source, TokenBucket(TRIES_PER_S, TRIES_AT_ONCE))
    return budget.take(1, trio.current_time())


def _joined(parts: Iterable[AddressNews]) -> AddressNews:
    """Return one piece of news about up to as many members as a message may hold."""
    some = list(parts)
    claims = [claim for part in some for claim in part.claims]
    hints = [hint for part in some for hint in part.hints]
    return AddressNews(claims[:MEMBERS_LIMIT], hints[:MEMBERS_LIMIT])
