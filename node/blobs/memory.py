"""The blob store's twin in memory."""

from hashlib import sha256

import trio

from node.blobs import BlobError


class MemoryBlobs:
    """`Blobs` in dictionaries."""

    def __init__(self) -> None:
        self._whole: dict[bytes, bytes] = {}
        self._pieces: dict[bytes, dict[int, bytes]] = {}

    def size(self, digest: bytes) -> int | None:
        """See `Blobs.size`."""
        return len(self._whole[digest]) if digest in self._whole else None

    async def read(self, digest: bytes, offset: int, length: int) -> bytes:
        """See `Blobs.read`."""
        await trio.lowlevel.checkpoint()
        if digest not in self._whole:
            raise BlobError(f"blob {digest.hex()} is not here")
        return self._whole[digest][offset : offset + length]

    async def verify(self, digest: bytes) -> bool:
        """See `Blobs.verify`."""
        await trio.lowlevel.checkpoint()
        if digest in self._whole and sha256(self._whole[digest]).digest() != digest:
            del self._whole[digest]
        return digest in self._whole

    async def add(self, data: bytes) -> bytes:
        """See `Blobs.add`."""
        await trio.lowlevel.checkpoint()
        digest = sha256(data).digest()
        self._whole[digest] = data
        return digest

    async def remove(self, digest: bytes) -> None:
        """See `Blobs.remove`."""
        await trio.lowlevel.checkpoint()
        self._whole.pop(digest, None)
        self._pieces.pop(digest, None)

    async def pieces(self, digest: bytes) -> frozenset[int]:
        """See `Blobs.pieces`."""
        await trio.lowlevel.checkpoint()
        return frozenset(self._pieces.get(digest, ()))

    async def add_piece(self, digest: bytes, number: int, data: bytes) -> None:
        """See `Blobs.add_piece`."""
        await trio.lowlevel.checkpoint()
        self._pieces.setdefault(digest, {})[number] = data

    async def assemble(self, digest: bytes, count: int) -> bool:
        """See `Blobs.assemble`."""
        await trio.lowlevel.checkpoint()
        pieces = self._pieces.pop(digest, {})
        data = b"".join(pieces[number] for number in range(count))
        if sha256(data).digest() != digest:
            return False
        self._whole[digest] = data
        return True
