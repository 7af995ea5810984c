"""Randomness from the order: the beacon of a decided round, and the preimages that members owe it.

Each judge of the round reveals the preimage that its creator's anchor committed to for this round before the epoch
opened (`consensus.preimages`), and the beacon is the hash of the right ones. So nobody can choose what it adds, and
nobody knows all of it before the round's witnesses are made, which have everything that an earlier round received among
their ancestors. A member can still withhold its preimage: then it owes nothing more and adds nothing until its next
anchor, and the ledger shows that it did.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

from consensus.encoding import Value, encode
from consensus.keys import MemberId
from consensus.ledger.records.entity import Entity, replace
from consensus.ordered import Judge
from consensus.preimages import verify_preimage
from consensus.roster import Roster


@dataclass(frozen=True)
class Commitment(Entity):
    """The value against which a member's next preimage is checked: its anchor, or its last right preimage."""

    member: MemberId
    round: int  # the round of `value`; for an anchor, the last one before the epoch
    value: bytes | None  # None: no preimage is owed, and none counts
    withheld: int = 0  # how often a preimage was owed, and none or a wrong one was revealed


def initial_commitments(roster: Roster, last: int = 0, before: Iterable[Commitment] = ()) -> dict[MemberId, Commitment]:
    """Return the commitments for an epoch that begins after round `last`, from the anchors in its roster.

    They continue the counts of withheld preimages in `before`.
    """
    counts = {commitment.member: commitment.withheld for commitment in before}
    return {
        member.id: Commitment(member.id, last, member.anchor, counts.get(member.id, 0)) for member in roster.members
    }


def after_reveal(commitment: Commitment, number: int, reveal: bytes | None) -> Commitment:
    """Return the commitment after its member was a judge of round `number` and revealed `reveal`.

    After a missing or wrong preimage nothing more is owed. So the number of hashes for a member is at most twice the
    length of a chain in an epoch, whatever it reveals.
    """
    if commitment.value is None:
        return commitment
    if reveal is not None and verify_preimage(commitment.value, reveal, number - commitment.round):
        return replace(commitment, round=number, value=reveal)
    return replace(commitment, round=number, value=None, withheld=commitment.withheld + 1)


def beacon(epoch: bytes, number: int, judges: Iterable[Judge], valid: Iterable[Judge]) -> bytes:
    """Return the 32 bytes of the beacon of a decided round with judges.

    `valid` are the judges with a right preimage. If there are none, as in a swarm without anchors, the hashes of all
    `judges` take their place, although their creators can try several events and so bias it a little.
    """
    reveals = [[judge.creator, judge.reveal] for judge in sorted(valid, key=lambda judge: judge.creator)]
    hashes = sorted(judge.hash for judge in judges)
    material: Value = ["preimages", reveals] if reveals else ["judges", hashes]
    return hashlib.sha256(encode(["ringrift/beacon/2", epoch, number, material])).digest()


def claim_seed(round_beacon: bytes, author: MemberId, claim: int) -> bytes:
    """Return the seed of self-play or training, 32 bytes."""
    return hashlib.sha256(encode(["ringrift/claim/1", round_beacon, author, claim])).digest()


def slot_lot(round_beacon: bytes, author: MemberId, claim: int) -> int:
    """Return the 256-bit number by which a slot is drawn for a match claim."""
    return int.from_bytes(hashlib.sha256(encode(["ringrift/slot/1", round_beacon, author, claim])).digest())


def slot_blocks(round_beacon: bytes, candidate: bytes, slot: int, size: int) -> tuple[tuple[int, bytes], ...]:
    """Return the number and the seed of each of the `size` blocks of a slot."""
    numbers = range(slot * size, (slot + 1) * size)
    return tuple((number, block_seed(round_beacon, candidate, number)) for number in numbers)


def block_seed(round_beacon: bytes, candidate: bytes, block: int) -> bytes:
    """Return the seed of one block of a match, 32 bytes."""
    return hashlib.sha256(encode(["ringrift/block/1", round_beacon, candidate, block])).digest()
