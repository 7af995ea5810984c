"""The blobs in an archive: written there under their digests, and read back and checked where no peer has them."""

from collections.abc import AsyncIterator
from hashlib import sha256

import structlog
import trio

from node.blobs import PIECE_BYTES, BlobError, Blobs
from node.blobs.s3 import Bucket, BucketError

UPLOAD_BYTES_PER_S = 2 * 1024 * 1024

_PAUSES_S = (1.0, 4.0)  # before a request is made again that a server did not answer

_log = structlog.get_logger(__name__)


class Archive:
    """Blobs under blobs/DIGEST in a bucket, and other files beside them. Nothing is ever written over or deleted.

    There is one exception: what does not have its digest is written again, once it is here.
    """

    def __init__(self, bucket: Bucket, blobs: Blobs) -> None:
        self._bucket, self._blobs = bucket, blobs
        self._damaged: set[bytes] = set()  # objects that were read back and did not have their digests
        self.uploaded_bytes = 0
        self.restored_bytes = 0
        self.error = ""  # why the last request failed; empty if it did not
        self.error_at = 0.0  # by trio's clock

    @property
    def place(self) -> str:
        """Where it is, such as s3://bucket/prefix/."""
        return str(self._bucket.place)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._bucket.aclose()

    async def size(self, digest: bytes) -> int | None:
        """Return the length of a blob in the archive; None if it is not there, or damaged. Raise BucketError."""
        return None if digest in self._damaged else await self.size_of_file(_name(digest))

    async def size_of_file(self, name: str) -> int | None:
        """Return the length of another file in the archive; None if it is not there. Raise BucketError."""
        try:
            size = await self._bucket.size(name)
        except BucketError as error:
            self._observe(error)
            raise
        self.error = ""
        return size

    async def upload(self, digest: bytes) -> int:
        """Write a blob that is here, after it was checked, slowly. Return its length.

        Raise BlobError if it is not here, BucketError if it cannot be written.
        """
        if not await self._blobs.verify(digest):
            raise BlobError(f"blob {digest.hex()} is not here")
        size = self._blobs.size(digest) or 0
        await self._write(_name(digest), self._pieces(digest, size), size, digest)
        self._damaged.discard(digest)
        return size

    async def upload_file(self, name: str, data: bytes) -> None:
        """Write another file. Raise BucketError."""

        async def content() -> AsyncIterator[bytes]:
            yield data

        await self._write(name, content(), len(data), sha256(data).digest())

    async def restore(self, digest: bytes, max_bytes: int) -> bool:
        """Read a blob of at most `max_bytes` back. Return whether it is here now, and has its digest.

        Pieces that are here already are not read again, unless they turn out to be wrong. Raise BlobError if it cannot
        be kept here.
        """
        try:
            here = await self._blobs.pieces(digest)
            if here and await self._restore(digest, max_bytes, here):
                return True
            return await self._restore(digest, max_bytes, frozenset())
        except BucketError as error:
            self._observe(error)
            _log.warning("blob not read back from the archive", blob=digest.hex(), reason=str(error))
            return False

    async def _restore(self, digest: bytes, max_bytes: int, here: frozenset[int]) -> bool:
        size = await self._bucket.size(_name(digest))
        if size is None or size > max_bytes:
            return False
        count = max(1, -(-size // PIECE_BYTES))
        for number in range(count):
            if number not in here:
                await self._blobs.add_piece(digest, number, await self._read_piece(digest, number))
        if await self._blobs.assemble(digest, count):
            self.restored_bytes += size
            self._damaged.discard(digest)
            _log.info("blob read back from the archive", blob=digest.hex(), bytes=size)
            return True
        if not here:
            self._damaged.add(digest)
            _log.warning("damaged blob in the archive", blob=digest.hex(), archive=self.place)
        return False

    async def _read_piece(self, digest: bytes, number: int) -> bytes:
        for pause_s in (*_PAUSES_S, None):
            try:
                found = await self._bucket.read(_name(digest), number * PIECE_BYTES, PIECE_BYTES)
            except BucketError as error:
                if pause_s is None or not error.is_passing:
                    raise
                await trio.sleep(pause_s)
            else:
                return b"" if found is None else found[0]
        raise AssertionError  # the last turn returns or raises

    async def _pieces(self, digest: bytes, size: int) -> AsyncIterator[bytes]:
        """Yield the content of a blob, no faster than `UPLOAD_BYTES_PER_S`."""
        for offset in range(0, size, PIECE_BYTES):
            piece = await self._blobs.read(digest, offset, PIECE_BYTES)
            yield piece
            await trio.sleep(len(piece) / UPLOAD_BYTES_PER_S)

    async def _write(self, name: str, content: AsyncIterator[bytes], size: int, digest: bytes) -> None:
        try:
            await self._bucket.write(name, content, size=size, sha256=digest)
        except BucketError as error:
            self._observe(error)
            raise
        self.error = ""
        self.uploaded_bytes += size

    def _observe(self, error: BucketError) -> None:
        self.error, self.error_at = str(error), trio.current_time()


def _name(digest: bytes) -> str:
    return f"blobs/{digest.hex()}"
