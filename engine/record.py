"""Records of played games: their canonical bytes, and the Merkle root over many of them."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_MAGIC = b"RRG1"


class RecordError(ValueError):
    """Bytes are not the record of a game."""


@dataclass(frozen=True, eq=False, kw_only=True)
class GameRecord:
    """One game from the first position to the end.

    Args:
        config: name of the configuration.
        seed: the seed of its random numbers.
        swap: True if the pie rule was on.
        opening_plies: the number of moves, from the first, that were not chosen by the players.
        moves: int64[plies].
        winner: 1 .. players, or 0 if the game was broken off.
        seats: a name or digest of the player of each seat.
    """

    config: str
    seed: bytes
    swap: bool
    opening_plies: int
    moves: NDArray[np.int64]
    winner: int
    seats: tuple[bytes, ...]

    def encode(self) -> bytes:
        """Return the canonical bytes: equal records have equal bytes on every machine.

        Magic, then big-endian: config, seed and each seat as a 16-bit length and that many bytes (the number
        of seats before them in 8 bits), swap and winner in 8 bits each, opening plies and the number of
        moves in 32, each move in 64.
        """
        parts = [_MAGIC, _text(self.config.encode("ascii")), _text(self.seed)]
        parts.append(struct.pack(">B", len(self.seats)))
        parts += [_text(seat) for seat in self.seats]
        parts.append(struct.pack(">BBII", self.swap, self.winner, self.opening_plies, len(self.moves)))
        parts.append(np.asarray(self.moves, ">i8").tobytes())
        return b"".join(parts)


def _text(value: bytes) -> bytes:
    return struct.pack(">H", len(value)) + value


class _Reader:
    """A cursor over the bytes of a record."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def take(self, length: int) -> bytes:
        end = self._at + length
        if end > len(self._data):
            raise RecordError(f"the record ends at byte {len(self._data)}, within a field that ends at {end}")
        taken = self._data[self._at : end]
        self._at = end
        return taken

    def numbers(self, form: str) -> tuple[int, ...]:
        return struct.unpack(form, self.take(struct.calcsize(form)))

    def text(self) -> bytes:
        return self.take(self.numbers(">H")[0])

    def finish(self) -> None:
        if self._at != len(self._data):
            raise RecordError(f"the record ends at byte {self._at}, but there are {len(self._data)}")


def decode(data: bytes) -> GameRecord:
    """Return the record with these canonical bytes. Its moves are not checked.

    Raises:
        RecordError: they are not the canonical bytes of any record.
    """
    reader = _Reader(data)
    if reader.take(len(_MAGIC)) != _MAGIC:
        raise RecordError("not a game record: it does not begin with RRG1")
    config, seed = reader.text(), reader.text()
    seats = tuple(reader.text() for _ in range(reader.numbers(">B")[0]))
    swap, winner, opening, count = reader.numbers(">BBII")
    moves = np.frombuffer(reader.take(8 * count), ">i8").astype(np.int64)
    reader.finish()
    if not config.isascii() or swap > 1 or winner > len(seats) or opening > count:
        raise RecordError(f"a field is out of range: {config=} {swap=} {winner=} {opening=} of {count} moves")
    return GameRecord(
        config=config.decode("ascii"),
        seed=seed,
        swap=bool(swap),
        opening_plies=opening,
        moves=moves,
        winner=winner,
        seats=seats,
    )


def merkle_root(leaves: Sequence[bytes]) -> bytes:
    """Return the Merkle tree hash of a list of byte strings (RFC 6962 section 2.1, SHA-256)."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    level = [hashlib.sha256(b"\0" + leaf).digest() for leaf in leaves]
    # A node without a partner rises unchanged, which is the RFC's split at the largest power of two.
    while len(level) > 1:
        paired = [
            hashlib.sha256(b"\1" + left + right).digest() for left, right in zip(level[::2], level[1::2], strict=False)
        ]
        level = paired + level[len(paired) * 2 :]
    return level[0]
