"""One blob on its way here: which pieces are missing, and which of them to ask for next."""

from collections import Counter

import trio

from node.blobs import PIECE_BYTES, BlobError
from node.system.change_counter import ChangeCounter

_PATIENCE_S = 2.0  # before a piece that one peer is asked for is asked of another too


class UnfitAnswerError(Exception):
    """What a peer says of the blob does not fit what another said, or is more than is wanted."""


class Download:
    """What is known of a blob of at most `max_bytes`, and how far it has come."""

    def __init__(self, digest: bytes, max_bytes: int, have: set[int]) -> None:
        """Begin with the pieces that are here, whose numbers are `have`."""
        self.digest = digest
        self.max_bytes = max_bytes
        self.have = have
        self.size: int | None = None  # bytes, once a peer has told it
        self.asked: Counter[int] = Counter()  # piece: how many peers are asked for it now
        self.sizes_differ = False  # two peers told different ones
        self.failure: BlobError | None = None  # pieces cannot be kept here
        self._changes = ChangeCounter()  # of pieces that are here or asked for

    @property
    def count(self) -> int:
        """The number of pieces; an empty blob has one."""
        return max(1, -(-(self.size or 0) // PIECE_BYTES))

    @property
    def is_complete(self) -> bool:
        """Whether all pieces are here; they are not verified yet."""
        return self.size is not None and not self.missing()

    def missing(self) -> list[int]:
        """Return the numbers of the pieces to fetch, those first that the fewest peers are asked for."""
        missing = (number for number in range(self.count) if number not in self.have)
        return sorted(missing, key=lambda number: (self.asked[number], number))

    def observe_size(self, size: int) -> None:
        """Take in the size that a peer told. Raise UnfitAnswerError if it cannot be that of the blob."""
        if self.size not in (None, size):
            self.sizes_differ = True
            raise UnfitAnswerError
        if size > self.max_bytes:
            raise UnfitAnswerError
        self.size = size

    async def next_piece(self) -> int | None:
        """Return a piece that nobody is asked for, after a while one that seems stuck; None when all are here."""
        while missing := self.missing():
            if not self.asked[missing[0]]:
                return missing[0]
            with trio.move_on_after(_PATIENCE_S) as patience:
                await self._changes.wait()
            if patience.cancelled_caught and (missing := self.missing()):
                return missing[0]
        return None

    def begin_piece(self, number: int) -> None:
        """Take in that a peer is asked for a piece."""
        self.asked[number] += 1

    def end_piece(self, number: int) -> None:
        """Take in that this peer is not asked for it any more, whether the piece came or not."""
        self.asked[number] -= 1
        self._changes.increment()
