"""Liars try to make evidence against honest members, out of everything that these ever showed to anybody.

The material is real: all events of replicas that went through several epochs, and what liars below a third
can add with their own keys. Whatever they put together, only a member that signed twice is convicted.
"""

import random
from collections import Counter
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from typing import Any, TypeAlias

import pytest

from consensus.encoding import decode
from consensus.event import decode_event, make_event
from consensus.keys import MemberId
from consensus.ledger import Ledger
from consensus.ledger.records.transactions import Evidence
from consensus.ordered import DecidedRound, Judge, OrderedEvent
from tests.consensus.gossip import SECOND
from tests.consensus.test_epochs import Swarm
from tests.fuzz.mutations import Mutator, to_cbor

Part: TypeAlias = tuple[bytes, bytes]
"""A header and a signature."""

LIARS = (1, 4)  # of seven members
CONTEXT = b"ringrift/event/2\0"
GROUP_ORDER = 2**252 + 27742317777372353535851937790883648493  # of the base point of Ed25519


@cache
def past(seed: int) -> Swarm:
    """Seven replicas after several epochs in which nobody lied."""
    return Swarm(7, seed=seed).run(420).settle()


@dataclass
class Liars:
    """What they know, and what they make of it."""

    swarm: Swarm
    chance: random.Random

    def __post_init__(self) -> None:
        self.known = [(event.header, event.signature) for event in self.swarm.made]
        self.keys = [self.swarm.keys[liar] for liar in LIARS]

    def header(self) -> bytes:
        """A real header, or one of their own invention."""
        header, _ = self.chance.choice(self.known)
        kind = self.chance.randrange(5)
        if kind == 0:
            return header
        fields: Any = decode(header, limit=1000)
        if kind == 1:
            fields[2] = self.chance.choice(self.swarm.keys).id
        elif kind == 2:
            fields[6] += 1  # the time: so a twin of an honest event
        elif kind == 3:
            fields[7] = self.chance.randbytes(32)  # the reveal
        else:
            fields = Mutator(str(self.chance.random()), [header]).value(fields)
        return to_cbor(fields)[:600]  # more could not be in an event

    def signature(self, header: bytes) -> bytes:
        """A real one of this header's neighbour, a liar's, a twisted one, or noise."""
        kind = self.chance.randrange(5)
        near = [signature for other, signature in self.known if other[40:110] == header[40:110]]
        if kind == 0:
            return self.chance.choice(self.chance.choice(self.known)[1:])
        if kind == 1:
            return self.chance.choice(self.keys).sign(CONTEXT + header)
        if kind == 2:
            return self.chance.randbytes(64)
        real = self.chance.choice(near) if near else self.chance.choice(self.known)[1]
        return twisted(real) if kind == 3 else real

    def part(self) -> Part:
        """A header with a signature: both real, or not."""
        if self.chance.random() < 0.4:
            return self.chance.choice(self.known)
        header = self.header()
        return header, self.signature(header)

    def evidence(self) -> Evidence:
        """Two parts; mostly two that ought to fit, in the order and with the number that they have to have."""
        first, second = self.part(), self.part()
        if self.chance.random() < 0.7:
            header, signature = first
            twin = self.near(header)
            second = (twin, self.chance.choice((signature, self.signature(twin))))
        parts = sorted((first, second), key=lambda part: sha256(part[0]).digest())
        if self.chance.random() < 0.1:
            parts.reverse()
        return Evidence(self.number(first[0]), *parts)

    def number(self, header: bytes) -> int:
        try:
            fields: Any = decode(header, limit=1000)  # what the liars made: perhaps no list at all
            number = fields[3]
        except (ValueError, TypeError, IndexError, KeyError):
            number = None
        return number % 2**63 if isinstance(number, int) else self.chance.randrange(20)

    def near(self, header: bytes) -> bytes:
        """The header of a different event with the same creator and number; unchanged if it is not a header."""
        try:
            fields: Any = decode(header, limit=1000)
            fields[6] += self.chance.randint(1, 9)
            return to_cbor(fields)
        except (ValueError, TypeError, IndexError, KeyError):
            return header


def twisted(signature: bytes) -> bytes:
    """Another form of a signature, which careless libraries take for valid as well: S plus the group's order."""
    point, scalar = signature[:32], int.from_bytes(signature[32:], "little")
    return point + ((scalar + GROUP_ORDER) % 2**256).to_bytes(32, "little")


class Court:
    """The ledger as it is at the beginning of the last epoch, which takes evidence in rounds of its own."""

    def __init__(self, swarm: Swarm) -> None:
        self.swarm = swarm
        self.closed = swarm.closed[max(swarm.closed)]
        self.reasons = Counter[str]()

    def hear(self, author: int, *evidence: Evidence) -> set[MemberId]:
        """Orders an event of `author` with this evidence; returns who is convicted then."""
        ledger = Ledger.restore(self.swarm.genesis, self.closed.record, self.closed.snapshot)
        event = make_event(
            self.swarm.keys[author],
            epoch=self.closed.record.digest,
            seq=0,
            self_parent=None,
            time=1,
            transactions=tuple(entry.as_table() for entry in evidence),
        )
        number = ledger.round + 1
        ordered = OrderedEvent(event, number, ledger.time + SECOND, ledger.ordered)
        decided = DecidedRound(number, (Judge(bytes(32), event.creator, None),), (ordered,))
        for effect in ledger.apply_round(decided):
            self.reasons[str(effect.fields.get("detail") or effect.fields.get("reason") or effect.kind)] += 1
        return {entry.member for entry in ledger.convictions()}


@pytest.mark.parametrize("seed", range(3))
def test_nothing_that_liars_put_together_convicts_an_honest_member(seed: int) -> None:
    swarm = past(5)
    liars = Liars(swarm, random.Random(seed))
    guilty = {swarm.keys[liar].id for liar in LIARS}
    court = Court(swarm)
    for number in range(250):
        tried = [liars.evidence() for _ in range(6)]
        assert court.hear(LIARS[number % 2], *tried) <= guilty
    assert len(swarm.closed) >= 2
    assert court.reasons["a signature does not verify"] > 100
    assert sum(court.reasons.values()) > 500


def test_the_same_effort_convicts_a_liar() -> None:
    """The test above can fail: where the second signature is the accused's own, there is a conviction."""
    swarm = past(5)
    liars, court = Liars(swarm, random.Random(1)), Court(swarm)
    key = liars.keys[0]
    mine = [event for event in swarm.made if event.creator == key.id and event.seq > 0]
    event = mine[-1]
    twin = liars.near(event.header)
    parts = sorted(
        [(event.header, event.signature), (twin, key.sign(CONTEXT + twin))], key=lambda part: sha256(part[0]).digest()
    )
    assert court.hear(0, Evidence(event.seq, *parts)) == {key.id}


def test_no_second_form_of_a_signature_is_valid() -> None:
    swarm = past(5)
    for event in swarm.made[:20]:
        assert event.verify()
        assert twisted(event.signature) != event.signature
        changed = event.raw.replace(event.signature, twisted(event.signature))
        assert not decode_event(changed, event.epoch).verify()


def test_honest_replicas_never_signed_twice() -> None:
    """In one epoch, one event for each number; what comes back after a close is in events of the next epoch."""
    swarm = past(5)
    signed: dict[tuple[MemberId, bytes, int], bytes] = {}
    for event in swarm.made:
        assert signed.setdefault((event.creator, event.epoch, event.seq), event.hash) == event.hash
    assert len({event.epoch for event in swarm.made}) >= 3
