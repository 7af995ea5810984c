"""The chain of preimages with which a member commits to what it adds to the beacon of every round of an epoch.

The end of the chain, the anchor, is public before the epoch opens (a hash chain as in Lamport 1981). The preimage of
round r gives the anchor when hashed r times. There is one for each member and round; nobody else can know it in
advance, and its owner cannot change it, only withhold it.
"""

from __future__ import annotations

from functools import cached_property, lru_cache
from hashlib import sha256

from consensus.keys import SigningKey
from consensus.settings import ROUNDS_LIMIT

LENGTH = ROUNDS_LIMIT  # of a chain: one preimage for each round that an epoch can have

_CONTEXT = b"ringrift/preimages/1"
_STRIDE = 512  # one preimage of the chain in this many is kept as a checkpoint


class Preimages:
    """The chain of one key for one epoch.

    Nothing is computed before the first access, which takes the LENGTH hashes of the whole chain (50 ms). The process
    remembers the checkpoints of its latest chains. After that, a preimage costs `_STRIDE` hashes now and then.
    """

    def __init__(self, key: SigningKey, epoch_number: int) -> None:
        self._secret = key.derive(_CONTEXT + epoch_number.to_bytes(8))
        self._segment: list[bytes] = []  # preimages of consecutive rounds, the first of round `_start`
        self._start = 0

    @property
    def anchor(self) -> bytes:
        """The public end of the chain, 32 bytes."""
        return self._checkpoints[0]

    def preimage(self, round_number: int) -> bytes | None:
        """Return the 32 bytes for a round of the epoch, counted from 1 within it.

        Return None beyond the secret end of the chain.
        """
        if round_number > LENGTH:
            return None
        place = round_number - self._start
        if not 0 <= place < len(self._segment):
            self._open_segment(round_number // _STRIDE)
            place = round_number % _STRIDE
        return self._segment[place]

    @cached_property
    def _checkpoints(self) -> tuple[bytes, ...]:
        return _checkpoints(self._secret)

    def _open_segment(self, number: int) -> None:
        checkpoints = self._checkpoints
        self._start = number * _STRIDE
        if number + 1 == len(checkpoints):
            self._segment = [checkpoints[number]]
            return
        value, segment = checkpoints[number + 1], []
        for _ in range(_STRIDE):
            value = sha256(value).digest()
            segment.append(value)
        self._segment = segment[::-1]


def verify_preimage(earlier: bytes, preimage: bytes, rounds: int) -> bool:
    """Return whether `preimage` hashed `rounds` times gives `earlier`, a preimage or anchor of the same chain.

    Takes that many hashes.
    """
    for _ in range(rounds):
        preimage = sha256(preimage).digest()
    return preimage == earlier


@lru_cache(maxsize=64)  # enough for a simulated swarm, whose nodes share a process
def _checkpoints(secret: bytes) -> tuple[bytes, ...]:
    """Return the preimages of rounds 0, _STRIDE, 2 * _STRIDE ... LENGTH; that of round 0 is the anchor."""
    value, kept = sha256(secret).digest(), []
    for round_number in range(LENGTH, 0, -1):
        if round_number % _STRIDE == 0:
            kept.append(value)
        value = sha256(value).digest()
    kept.append(value)
    return tuple(kept[::-1])
