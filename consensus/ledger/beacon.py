"""Randomness from the order: what a decided round fixes, nobody knew before it.

Until members commit to preimages, the beacon of a round is the hash of its judges. A creator of a judge can
try several events and so grind a little; what a claim or a candidate gets is still fixed only after it was
ordered.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from consensus.encoding import encode
from consensus.keys import MemberId


def beacon(epoch: bytes, round_number: int, judges: Sequence[bytes]) -> bytes:
    """32 bytes out of the judges (event hashes, ascending) of a decided round."""
    return hashlib.sha256(encode(["ringrift/beacon/1", epoch, round_number, judges])).digest()


def claim_seed(round_beacon: bytes, author: MemberId, claim: int) -> bytes:
    """The seed of self-play or training: 32 bytes."""
    return hashlib.sha256(encode(["ringrift/claim/1", round_beacon, author, claim])).digest()


def block_seed(round_beacon: bytes, candidate: bytes, block: int) -> bytes:
    """The seed of one block of a match: 32 bytes."""
    return hashlib.sha256(encode(["ringrift/block/1", round_beacon, candidate, block])).digest()
