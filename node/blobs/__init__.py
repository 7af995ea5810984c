"""Bulk data by content: what is stored under a SHA-256 digest is exactly what has that digest."""

from typing import Protocol

PIECE_BYTES = 512 * 1024  # blobs travel in pieces of this size, the last one shorter
MAX_BLOB_BYTES = 256 * 1024 * 1024  # of any blob, whatever size its author announces


class BlobError(Exception):
    """A blob that cannot be read, stored or fetched; the message is one line."""


class MissingBlobError(BlobError):
    """No peer that answers has the blob."""


class Blobs(Protocol):
    """Whole blobs, and pieces of blobs that are not complete yet. Digests are 32 bytes."""

    def size(self, digest: bytes) -> int | None:
        """Return the length of a whole blob in bytes, None if it is not here."""
        ...

    async def read(self, digest: bytes, offset: int, length: int) -> bytes:
        """Return up to `length` bytes from `offset` on. Raise BlobError if the blob is not here."""
        ...

    async def verify(self, digest: bytes) -> bool:
        """Return whether the whole blob is here and is what its digest says; one that is not is deleted.

        Raise BlobError if it is damaged and cannot be deleted.
        """
        ...

    async def add(self, data: bytes) -> bytes:
        """Store a blob durably and return its digest. Raise BlobError."""
        ...

    async def remove(self, digest: bytes) -> None:
        """Delete a blob and its pieces if they are here. Raise BlobError."""
        ...

    async def pieces(self, digest: bytes) -> frozenset[int]:
        """Return the numbers of the pieces that are here, also from before a restart."""
        ...

    async def add_piece(self, digest: bytes, number: int, data: bytes) -> None:
        """Keep one piece; nothing is verified yet. Raise BlobError."""
        ...

    async def assemble(self, digest: bytes, count: int) -> bool:
        """Make a blob of pieces 0 to `count` - 1 if it has the digest, else drop them. Return whether it has.

        Raise BlobError.
        """
        ...
