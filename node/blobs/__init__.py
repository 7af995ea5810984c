"""Bulk data by content: what is stored under a SHA-256 digest is exactly what has that digest."""

from typing import Protocol

PIECE = 512 * 1024  # bytes; blobs travel in pieces of this size, the last one shorter


class BlobError(Exception):
    """A blob that cannot be read, stored or fetched; the message is one line."""


class Blobs(Protocol):
    """Whole blobs, and pieces of blobs that are still on their way. Digests are 32 bytes."""

    def size(self, digest: bytes) -> int | None:
        """Length in bytes of a whole blob; None if it is not here."""
        ...

    async def read(self, digest: bytes, offset: int, length: int) -> bytes:
        """Up to `length` bytes from `offset` on. Raises BlobError if the blob is not here."""
        ...

    async def add(self, data: bytes) -> bytes:
        """Stores a blob durably and returns its digest. Raises BlobError."""
        ...

    async def remove(self, digest: bytes) -> None:
        """Forgets a blob and its pieces, if they are here. Raises BlobError."""
        ...

    async def pieces(self, digest: bytes) -> frozenset[int]:
        """Numbers of the pieces that came so far, also before a restart."""
        ...

    async def add_piece(self, digest: bytes, number: int, data: bytes) -> None:
        """Keeps one piece; nothing is verified yet. Raises BlobError."""
        ...

    async def assemble(self, digest: bytes, count: int) -> bool:
        """Makes a blob of pieces 0 to `count` - 1 if it has the digest; else drops them and says False.

        Raises BlobError.
        """
        ...
