"""Random gossip for the benchmarks: events by members that are all equally busy, as fast as they can be made."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Sequence

from consensus.epoch import EpochRecord
from consensus.event import Event, TransactionTable, make_event
from consensus.genesis import Genesis, make_genesis
from consensus.keys import MemberId, SigningKey
from consensus.ledger.records.transactions import Open
from consensus.roster import RosterMember
from consensus.settings import Settings


class UnsignedKey(SigningKey):
    """A key that signs with zeros, for measurements in which no signature is checked."""

    def sign(self, message: bytes) -> bytes:
        return bytes(64)


class RandomGossip:
    """Members that take turns at random; an event's other parents are the newest events of random other members."""

    def __init__(self, members: int, other_parents: int, *, signed: bool, settings: Settings | None = None) -> None:
        self._rng = random.Random(members * 10 + other_parents)
        seeds = [self._rng.randbytes(32) for _ in range(members)]
        self._sealers = sorted((SigningKey(seed) for seed in seeds), key=lambda key: key.id)
        unsigned = sorted((UnsignedKey(seed) for seed in seeds), key=lambda key: key.id)
        self._keys: Sequence[SigningKey] = self._sealers if signed else unsigned
        self._others = other_parents
        listed = [RosterMember(key.id, 1) for key in self._keys]
        self.genesis: Genesis = make_genesis("bench", listed, settings or Settings())
        self._made = 0
        self._placed: dict[MemberId, int] = {}  # number of ordered transactions of each author
        self._begin(self.genesis.digest, None)

    def _begin(self, epoch: bytes, record: EpochRecord | None) -> None:
        self._epoch, self._record = epoch, record
        self._newest: dict[int, Event] = {}
        self._next = dict(self._placed)

    def enter(self, record: EpochRecord) -> None:
        """Begin new self-chains in the epoch that `record` opens, each with a seal.

        Transactions that were not observed in the order are submitted again.
        """
        self._begin(record.digest, record)

    def observe(self, ordered: Iterable[Event]) -> None:
        """Take in events that have their place in the order."""
        for event in ordered:
            self._placed[event.creator] = event.transactions[-1]["id"] + 1

    def events(self, count: int) -> Iterator[Event]:
        """Yield the next `count` events, each with one transaction of usual size."""
        for _ in range(count):
            yield self._event()

    def _event(self) -> Event:
        rng = self._rng
        creator = rng.randrange(len(self._keys))
        known = [member for member in sorted(self._newest) if member != creator]
        others = rng.sample(known, min(self._others, len(known)))
        mine = self._newest.get(creator)
        self._made += 1
        event = self._newest[creator] = make_event(
            self._keys[creator],
            epoch=self._epoch,
            seq=mine.seq + 1 if mine else 0,
            self_parent=mine.hash if mine else None,
            other_parents=tuple(self._newest[other].hash for other in others),
            time=self._made * 1_000_000,
            transactions=tuple(self._transactions(creator, first=mine is None)),
        )
        return event

    def _transactions(self, creator: int, first: bool) -> Iterator[TransactionTable]:
        if first and self._record is not None:
            yield dict(Open(self._record.number, self._record.seal(self._sealers[creator]), None).as_table())
        number = self._id(creator)
        yield {"type": "note", "id": number, "text": "a transaction of usual size", "of": self._rng.randbytes(32)}

    def _id(self, creator: int) -> int:
        """Return the author's next transaction id; without gaps, the ledger keeps one number for all of them."""
        author = self._keys[creator].id
        number = self._next.get(author, 0)
        self._next[author] = number + 1
        return number
