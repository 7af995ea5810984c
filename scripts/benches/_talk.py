"""Random gossip for the benchmarks: events by members who are all equally busy, as fast as they can be made."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence

from consensus.event import Event, make_event
from consensus.genesis import Genesis, make_genesis
from consensus.keys import SigningKey
from consensus.roster import Member
from consensus.settings import Settings


class UnsignedKey(SigningKey):
    """Signs with zeros, for measurements in which nobody looks at signatures."""

    def sign(self, message: bytes) -> bytes:
        return bytes(64)


class Talk:
    """Members who take turns at random; each takes the newest events of `other_parents` random others."""

    def __init__(self, members: int, other_parents: int, *, signed: bool, settings: Settings | None = None) -> None:
        self._rng = random.Random(members * 10 + other_parents)
        make = SigningKey if signed else UnsignedKey
        keys = (make(self._rng.randbytes(32)) for _ in range(members))
        self._keys: Sequence[SigningKey] = sorted(keys, key=lambda key: key.id)
        self._others = other_parents
        listed = [Member(key.id, 1) for key in self._keys]
        self.genesis: Genesis = make_genesis("bench", listed, settings or Settings())
        self._made = 0
        self.enter(self.genesis.digest)

    def enter(self, epoch: bytes) -> None:
        """Begins new self-chains in `epoch`."""
        self._epoch = epoch
        self._newest: dict[int, Event] = {}

    def events(self, count: int) -> Iterator[Event]:
        """The next `count` events, each with one transaction of usual size."""
        for _ in range(count):
            yield self._event()

    def _event(self) -> Event:
        rng = self._rng
        creator = rng.randrange(len(self._keys))
        known = [member for member in sorted(self._newest) if member != creator]
        others = rng.sample(known, min(self._others, len(known)))
        mine = self._newest.get(creator)
        note = {"type": "note", "id": self._made, "text": "a transaction of usual size", "of": rng.randbytes(32)}
        self._made += 1
        event = self._newest[creator] = make_event(
            self._keys[creator],
            epoch=self._epoch,
            seq=mine.seq + 1 if mine else 0,
            self_parent=mine.hash if mine else None,
            other_parents=tuple(self._newest[other].hash for other in others),
            time=self._made * 1_000_000,
            transactions=(note,),
        )
        return event
