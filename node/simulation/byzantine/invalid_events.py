"""Messages that no correct node sends, and events that no replica may accept."""

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import trio

from consensus.event import MAX_EVENT_BYTES, Event, EventError, make_event
from consensus.keys import MemberId, SigningKey
from consensus.sync import Tip
from node.member.creation import Plan
from node.simulation.byzantine.attack import Attack, ByzantineMember
from node.simulation.byzantine.forge import (
    HEADER_OTHER_PARENTS,
    HEADER_SELF_PARENT,
    HEADER_SEQ,
    HEADER_TIME,
    forge_event,
    with_another_signature,
    with_bad_signature,
)

_SHARE = 0.15  # of the messages that hold events
_CHAIN_EVENTS = 40
_OLDEST_EVENTS = 20
_FLOOD_PAUSE_S = 10.0


class InjectingAttack(Attack):
    """Base of attacks that add raw events to a share of the messages."""

    share: ClassVar[float] = _SHARE

    def alter_events(self, member: ByzantineMember, peer: MemberId, raws: Sequence[bytes]) -> Sequence[bytes]:
        """See `Attack.alter_events`."""
        newest = member.newest()
        if newest is None or self.random.random() > self.share:
            return raws
        return [*raws, *self.make_raws(member, newest)]

    def make_raws(self, member: ByzantineMember, newest: Event) -> Sequence[bytes]:
        """Return the raw events to add. `newest` is the member's own newest event."""
        raise NotImplementedError


class BadSignature(InjectingAttack):
    """Sends events of anybody with the right hash and an invalid signature."""

    kind = "bad-signature"

    def make_raws(self, member: ByzantineMember, newest: Event) -> Sequence[bytes]:
        """See `InjectingAttack.make_raws`."""
        return [with_bad_signature(self.random.choice(member.replica.dag.events).raw)]


class Impersonation(InjectingAttack):
    """Sends an event in another member's name, signed with its own key: as if that member had forked."""

    kind = "frame"

    def make_raws(self, member: ByzantineMember, newest: Event) -> Sequence[bytes]:
        """See `InjectingAttack.make_raws`."""
        victim = self.random.choice(member.replica.dag.events)
        return [forge_event(member.key, victim, lambda fields: fields.__setitem__(HEADER_TIME, victim.time + 1))]


class NonMember(InjectingAttack):
    """Sends events signed with a key that is not in the roster."""

    kind = "stranger"

    def make_raws(self, member: ByzantineMember, newest: Event) -> Sequence[bytes]:
        """See `InjectingAttack.make_raws`."""
        key = SigningKey(member.key_seed[::-1])
        parents = (newest.hash,) if self.random.getrandbits(1) else ()
        event = make_event(key, epoch=newest.epoch, seq=0, self_parent=None, other_parents=parents, time=newest.time)
        return [event.raw]


class UnknownEpoch(InjectingAttack):
    """Sends an event of an epoch that does not exist."""

    kind = "other-epoch"

    def make_raws(self, member: ByzantineMember, newest: Event) -> Sequence[bytes]:
        """See `InjectingAttack.make_raws`."""
        epoch = self.random.randbytes(32)
        return [make_event(member.key, epoch=epoch, seq=0, self_parent=None, time=newest.time).raw]


class BadParents(InjectingAttack):
    """Sends events with invalid parents, sequence numbers or times.

    Parents are named twice, are two of one creator, or belong to another chain.
    """

    kind = "bad-parents"
    share = 0.3

    def make_raws(self, member: ByzantineMember, newest: Event) -> Sequence[bytes]:
        """See `InjectingAttack.make_raws`."""
        return [forge_event(member.key, newest, self.random.choice(self._changes(member, newest)))]

    def _changes(self, member: ByzantineMember, newest: Event) -> list[Callable[[list[Any]], None]]:
        others = [event for event in member.replica.dag.events if event.creator != member.id]
        one = self.random.choice(others or [newest])
        two = [event.hash for event in others if event.creator == one.creator][-2:]
        own = newest.self_parent or newest.hash
        return [
            lambda fields: fields.__setitem__(HEADER_OTHER_PARENTS, [one.hash, one.hash]),
            lambda fields: fields.__setitem__(HEADER_OTHER_PARENTS, two),
            lambda fields: fields.__setitem__(HEADER_OTHER_PARENTS, [own]),
            lambda fields: fields.__setitem__(HEADER_SELF_PARENT, one.hash if fields[HEADER_SEQ] else None),
            lambda fields: fields.__setitem__(HEADER_SEQ, fields[HEADER_SEQ] + 5),
            lambda fields: fields.__setitem__(HEADER_TIME, 0),
        ]


class Oversized(InjectingAttack):
    """Sends events just below the size limit, and above it."""

    kind = "oversized"
    share = 0.02

    def make_raws(self, member: ByzantineMember, newest: Event) -> Sequence[bytes]:
        """See `InjectingAttack.make_raws`."""
        size = self.random.choice((MAX_EVENT_BYTES - 1000, MAX_EVENT_BYTES - 1000, MAX_EVENT_BYTES))
        filling = ({"type": "filling", "id": newest.seq, "data": bytes(size)},)
        try:
            event = member.next_event(Plan((), True), filling)
        except EventError:
            return [bytes(size + 1)]
        return [event.raw]


class OrphanEvents(InjectingAttack):
    """Sends a long chain of own events without the first one."""

    kind = "orphans"
    share = 0.05

    def make_raws(self, member: ByzantineMember, newest: Event) -> Sequence[bytes]:
        """See `InjectingAttack.make_raws`."""
        chain = [member.next_event(Plan((), True))]
        for _ in range(_CHAIN_EVENTS):
            chain.append(member.next_event(Plan((), True), after=chain[-1]))
        return [event.raw for event in chain[1:]]


class OldEvents(InjectingAttack):
    """Sends the oldest events of the epoch again and again."""

    kind = "replay"
    share = 0.4

    def make_raws(self, member: ByzantineMember, newest: Event) -> Sequence[bytes]:
        """See `InjectingAttack.make_raws`."""
        return [event.raw for event in member.replica.dag.events[:_OLDEST_EVENTS]]


class TwoSignatures(Attack):
    """Signs its events a second time, so that some peers hold other bytes under the same hash."""

    kind = "two-signatures"

    def __init__(self, seed: object) -> None:
        super().__init__(seed)
        self._signed_again: dict[bytes, bytes] = {}  # by raw event

    def alter_events(self, member: ByzantineMember, peer: MemberId, raws: Sequence[bytes]) -> Sequence[bytes]:
        """See `Attack.alter_events`."""
        if peer[0] & 1:
            return raws
        newest = member.newest()
        if newest is not None and newest.raw in raws and self.random.random() < _SHARE:
            nonce = self.random.randbytes(32)
            self._signed_again[newest.raw] = with_another_signature(member.key_seed, newest.raw, nonce)
        return [self._signed_again.get(raw, raw) for raw in raws]


class FalseTips(Attack):
    """Announces events that do not exist, also in the peer's own name, and asks for such events."""

    kind = "lying-tips"

    def alter_tips(self, member: ByzantineMember, peer: MemberId, tips: Sequence[Tip]) -> Sequence[Tip]:
        """See `Attack.alter_tips`."""
        altered = []
        for tip in tips:
            if self.random.random() < _SHARE:
                seq = self.random.choice((0, tip.seq + 1, tip.seq + 1000))
                tip = Tip(tip.creator, seq, self.random.randbytes(32))
            altered.append(tip)
        return altered

    def alter_wanted(self, member: ByzantineMember, wanted: Sequence[bytes]) -> Sequence[bytes]:
        """See `Attack.alter_wanted`."""
        known = [event.hash for event in member.replica.dag.events[-3:]]
        return [*wanted[:200], *known, self.random.randbytes(32)]


class Flood(Attack):
    """Signs many events at once, more than peers accept from one member in that time."""

    kind = "burst"

    def __init__(self, seed: object) -> None:
        super().__init__(seed)
        self._next_at = 0.0

    def sign(self, member: ByzantineMember, plan: Plan) -> Sequence[Event] | None:
        """See `Attack.sign`."""
        if trio.current_time() < self._next_at:
            return None
        self._next_at = trio.current_time() + _FLOOD_PAUSE_S
        events = [member.next_event(plan)]
        while len(events) < _CHAIN_EVENTS:
            events.append(member.next_event(Plan((), True), after=events[-1]))
        return events
