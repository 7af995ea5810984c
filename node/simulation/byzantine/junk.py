"""Messages that no correct node sends, and events that no replica may take."""

from collections.abc import Callable, Sequence
from typing import Any

import trio

from consensus.event import MAX_EVENT_BYTES, Event, EventError, make_event
from consensus.keys import MemberId, SigningKey
from consensus.sync import Tip
from node.member.creation import Plan
from node.simulation.byzantine.adversary import Adversary, Liar
from node.simulation.byzantine.forge import forged, with_another_signature, with_bad_signature

_OFTEN = 0.15  # of the messages that hold events
_CHAIN = 40  # orphans at a time
_REPLAYED = 20


class Junk(Adversary):
    """Puts something into messages now and then."""

    share = _OFTEN

    def told(self, liar: Liar, peer: MemberId, raws: Sequence[bytes]) -> Sequence[bytes]:
        """See `Adversary`."""
        newest = liar.newest()
        if newest is None or self.random.random() > self.share:
            return raws
        return [*raws, *self.junk(liar, newest)]

    def junk(self, liar: Liar, newest: Event) -> Sequence[bytes]:
        """What is put in."""
        raise NotImplementedError


class BadSignature(Junk):
    """Events by anybody with a good hash and a signature that is none."""

    def junk(self, liar: Liar, newest: Event) -> Sequence[bytes]:
        """See `Junk`."""
        return [with_bad_signature(self.random.choice(liar.replica.dag.events).raw)]


class Frame(Junk):
    """An event in the name of another member, signed by itself: as if that one had forked."""

    def junk(self, liar: Liar, newest: Event) -> Sequence[bytes]:
        """See `Junk`."""
        victim = self.random.choice(liar.replica.dag.events)
        return [forged(liar.key, victim, lambda fields: fields.__setitem__(6, victim.time + 1))]


class Stranger(Junk):
    """Events by a key that is of no member, or of one no more."""

    def junk(self, liar: Liar, newest: Event) -> Sequence[bytes]:
        """See `Junk`."""
        key = SigningKey(liar.seed[::-1])
        parents = (newest.hash,) if self.random.getrandbits(1) else ()
        stranger = make_event(key, epoch=newest.epoch, seq=0, self_parent=None, other_parents=parents, time=newest.time)
        return [stranger.raw]


class OtherEpoch(Junk):
    """An event of an epoch that there is not."""

    def junk(self, liar: Liar, newest: Event) -> Sequence[bytes]:
        """See `Junk`."""
        epoch = self.random.randbytes(32)
        return [make_event(liar.key, epoch=epoch, seq=0, self_parent=None, time=newest.time).raw]


class BadParents(Junk):
    """Parents named twice, of one creator, of others, wrong seqs, times that go back."""

    share = 0.3

    def junk(self, liar: Liar, newest: Event) -> Sequence[bytes]:
        """See `Junk`."""
        return [forged(liar.key, newest, self.random.choice(self._changes(liar, newest)))]

    def _changes(self, liar: Liar, newest: Event) -> list[Callable[[list[Any]], None]]:
        others = [event for event in liar.replica.dag.events if event.creator != liar.id]
        one = self.random.choice(others or [newest])
        two = [event.hash for event in others if event.creator == one.creator][-2:]
        return [
            lambda fields: fields.__setitem__(5, [one.hash, one.hash]),
            lambda fields: fields.__setitem__(5, two),
            lambda fields: fields.__setitem__(5, [newest.self_parent or newest.hash]),
            lambda fields: fields.__setitem__(4, one.hash if fields[3] else None),
            lambda fields: fields.__setitem__(3, fields[3] + 5),
            lambda fields: fields.__setitem__(6, 0),
        ]


class Oversized(Junk):
    """Events of just the most bytes that one may have, and of more."""

    share = 0.02

    def junk(self, liar: Liar, newest: Event) -> Sequence[bytes]:
        """See `Junk`."""
        size = self.random.choice((MAX_EVENT_BYTES - 1000, MAX_EVENT_BYTES - 1000, MAX_EVENT_BYTES))
        filling = ({"type": "filling", "id": newest.seq, "data": bytes(size)},)
        try:
            event = liar.next_event(Plan((), True), filling)
        except EventError:
            return [bytes(size + 1)]
        return [event.raw]


class Orphans(Junk):
    """A long chain of own events without the one that it begins with."""

    share = 0.05

    def junk(self, liar: Liar, newest: Event) -> Sequence[bytes]:
        """See `Junk`."""
        chain = [liar.next_event(Plan((), True))]
        for _ in range(_CHAIN):
            chain.append(liar.next_event(Plan((), True), after=chain[-1]))
        return [event.raw for event in chain[1:]]


class Replay(Junk):
    """The oldest events again and again."""

    share = 0.4

    def junk(self, liar: Liar, newest: Event) -> Sequence[bytes]:
        """See `Junk`."""
        return [event.raw for event in liar.replica.dag.events[:_REPLAYED]]


class TwoSignatures(Adversary):
    """Signs its events a second time, so that peers hold other bytes under the same hash."""

    def __init__(self, seed: object) -> None:
        super().__init__(seed)
        self._second: dict[bytes, bytes] = {}

    def told(self, liar: Liar, peer: MemberId, raws: Sequence[bytes]) -> Sequence[bytes]:
        """See `Adversary`."""
        if peer[0] & 1:
            return raws
        newest = liar.newest()
        if newest is not None and newest.raw in raws and self.random.random() < _OFTEN:
            nonce = self.random.randbytes(32)
            self._second[newest.raw] = with_another_signature(liar.seed, newest.raw, nonce)
        return [self._second.get(raw, raw) for raw in raws]


class LyingTips(Adversary):
    """Claims to have events that there are not, of the peer itself too, and asks for such."""

    def tips(self, liar: Liar, peer: MemberId, tips: Sequence[Tip]) -> Sequence[Tip]:
        """See `Adversary`."""
        lied = []
        for tip in tips:
            if self.random.random() < _OFTEN:
                seq = self.random.choice((0, tip.seq + 1, tip.seq + 1000))
                tip = Tip(tip.creator, seq, self.random.randbytes(32))
            lied.append(tip)
        return lied

    def wanted(self, liar: Liar, want: Sequence[bytes]) -> Sequence[bytes]:
        """See `Adversary`."""
        known = [event.hash for event in liar.replica.dag.events[-3:]]
        return [*want[:200], *known, self.random.randbytes(32)]


class Burst(Adversary):
    """Many events of its own at once, more than it may make others look at."""

    def __init__(self, seed: object) -> None:
        super().__init__(seed)
        self._next_at = 0.0

    def sign(self, liar: Liar, plan: Plan) -> Sequence[Event] | None:
        """See `Adversary`."""
        if trio.current_time() < self._next_at:
            return None
        self._next_at = trio.current_time() + 10
        events = [liar.next_event(plan)]
        while len(events) < _CHAIN:
            events.append(liar.next_event(Plan((), True), after=events[-1]))
        return events
