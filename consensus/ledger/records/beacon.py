"""Randomness from the order: the beacon of a decided round, and what members owe it.

Each judge of the round shows the preimage that its creator's anchor fixed for this round before the epoch
opened (`consensus.preimages`), and the beacon is the hash of those that are right. So nobody can choose
what it adds, and nobody knows it all before the round's witnesses are made, which have everything that an
earlier round received among their ancestors. What a member can still do is hold its preimage back: then
it owes nothing any more and adds nothing until its next anchor, and the ledger shows that it did.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, replace

from consensus.encoding import Value, encode
from consensus.keys import MemberId
from consensus.ledger.records.entity import Entity
from consensus.ordered import Judge
from consensus.preimages import verify_preimage
from consensus.roster import Roster


@dataclass(frozen=True)
class Commitment(Entity):
    """What a member's next preimage is held against: its anchor, or the last preimage that was right."""

    member: MemberId
    round: int  # of `value`; that of an anchor is the last round before the epoch
    value: bytes | None  # None: nothing is owed, nothing counts
    withheld: int = 0  # times that a preimage was owed, and none or a wrong one shown

    @property
    def row(self) -> Value:
        """For the ledger's digest: nearly all commitments change in every round, so a fingerprint would cost more."""
        return [self.member, self.round, self.value, self.withheld]


def initial_commitments(roster: Roster, last: int = 0, before: Iterable[Commitment] = ()) -> dict[MemberId, Commitment]:
    """Return what the members owe in an epoch that begins after round `last`; what they withheld is kept."""
    counts = {commitment.member: commitment.withheld for commitment in before}
    return {
        member.id: Commitment(member.id, last, member.anchor, counts.get(member.id, 0)) for member in roster.members
    }


def after_reveal(commitment: Commitment, number: int, reveal: bytes | None) -> Commitment:
    """Return the commitment after its member was a judge of round `number` and showed `reveal`.

    One that shows none or a wrong one is asked no more. So the hashes for a member are bounded by twice the
    length of a chain in an epoch, whatever it shows.
    """
    if commitment.value is None:
        return commitment
    if reveal is not None and verify_preimage(commitment.value, reveal, number - commitment.round):
        return replace(commitment, round=number, value=reveal)
    return replace(commitment, round=number, value=None, withheld=commitment.withheld + 1)


def beacon(epoch: bytes, number: int, judges: Iterable[Judge], valid: Iterable[Judge]) -> bytes:
    """Return 32 bytes out of a decided round with judges.

    `valid` are the judges with a right preimage. Without any, as in a swarm without anchors, the hashes of
    all `judges` take their place, though their creators can try several events and so grind a little.
    """
    reveals = [[judge.creator, judge.reveal] for judge in sorted(valid, key=lambda judge: judge.creator)]
    hashes = sorted(judge.hash for judge in judges)
    material: Value = ["preimages", reveals] if reveals else ["judges", hashes]
    return hashlib.sha256(encode(["ringrift/beacon/2", epoch, number, material])).digest()


def claim_seed(round_beacon: bytes, author: MemberId, claim: int) -> bytes:
    """Return the seed of self-play or training: 32 bytes."""
    return hashlib.sha256(encode(["ringrift/claim/1", round_beacon, author, claim])).digest()


def slot_lot(round_beacon: bytes, author: MemberId, claim: int) -> int:
    """Return the number by which a slot is drawn for a match claim, of 256 bits."""
    return int.from_bytes(hashlib.sha256(encode(["ringrift/slot/1", round_beacon, author, claim])).digest())


def slot_blocks(round_beacon: bytes, candidate: bytes, slot: int, size: int) -> tuple[tuple[int, bytes], ...]:
    """Return number and seed of each of the `size` blocks that a slot of a match consists of."""
    numbers = range(slot * size, (slot + 1) * size)
    return tuple((number, block_seed(round_beacon, candidate, number)) for number in numbers)


def block_seed(round_beacon: bytes, candidate: bytes, block: int) -> bytes:
    """Return the seed of one block of a match: 32 bytes."""
    return hashlib.sha256(encode(["ringrift/block/1", round_beacon, candidate, block])).digest()
