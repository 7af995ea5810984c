"""Reads all blobs again and again, slowly, so that damage is found while others have what is damaged."""

import secrets
from collections.abc import Callable, Collection, Iterable
from hashlib import sha256

import structlog
import trio

from node.blobs import MAX_BLOB_BYTES, PIECE_BYTES, BlobError
from node.blobs.fetching import BlobFetcher
from node.blobs.files import FileBlobs

_FIRST_S = 60.0  # after the start, when there is other work to do
_PASS_S = 6 * 3600.0  # from the beginning of one pass to that of the next, or longer
_PIECE_S = 0.25  # between two pieces: 2 MB/s
_RESTORE_S = 5.0  # between two looks at what was dropped
_RETRY_S = 600.0  # for a blob that nobody could give
_FETCH_S = 120.0

_log = structlog.get_logger(__name__)


def in_turn(digests: Iterable[bytes], start: bytes) -> list[bytes]:
    """Return all digests in ascending order from one on, the lower ones after the others.

    So a process that never lives for a whole pass begins somewhere else each time.
    """
    return sorted(digests, key=lambda digest: (digest < start, digest))


class Scrubber:
    """Finds damaged blobs and fetches them again, also those that were found damaged when they were to be used.

    `needed` returns the digests of the blobs that the ledger names; what is not among them is dropped for good.
    """

    def __init__(self, blobs: FileBlobs, fetcher: BlobFetcher, needed: Callable[[], Collection[bytes]]) -> None:
        self._blobs, self._fetcher, self._needed = blobs, fetcher, needed
        self._tried: dict[bytes, float] = {}  # when a blob was asked for in vain, by trio's clock
        self.checked_bytes = 0

    @property
    def damaged(self) -> int:
        """The number of blobs that were found damaged since the start, here or when they were to be used."""
        return self._blobs.damaged

    @property
    def lost(self) -> int:
        """The number of those that have not come back."""
        return len(self._blobs.lost)

    async def run(self) -> None:
        """Scrub until cancelled."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._scrub)
            nursery.start_soon(self._restore)

    async def _scrub(self) -> None:
        await trio.sleep(_FIRST_S)
        while True:
            next_pass = trio.current_time() + _PASS_S
            try:
                digests = in_turn(await self._blobs.digests(), secrets.token_bytes(32))
            except BlobError as error:
                _log.warning("cannot look for damaged blobs", reason=str(error))
                digests = []
            for digest in digests:
                await self.check(digest)
            await trio.sleep_until(next_pass)

    async def check(self, digest: bytes) -> None:
        """Read a blob slowly, if it is here; drop it if it is damaged."""
        hasher, size = sha256(), self._blobs.size(digest)
        if size is None:
            return
        try:
            for offset in range(0, size, PIECE_BYTES):
                piece = await self._blobs.read(digest, offset, PIECE_BYTES)
                hasher.update(piece)
                self.checked_bytes += len(piece)
                await trio.sleep(_PIECE_S)
            is_right = hasher.digest() == digest
        except BlobError:
            is_right = False
        try:
            if not is_right:
                await self._blobs.verify(digest)  # it may be gone, or new
        except BlobError as error:
            _log.warning("cannot check or drop a blob", blob=digest.hex(), reason=str(error))

    async def _restore(self) -> None:
        while True:
            await trio.sleep(_RESTORE_S)
            if self._blobs.lost:
                needed = self._needed()
                for digest in sorted(self._blobs.lost):
                    if digest in needed:
                        await self._fetch(digest)
                    else:
                        self._blobs.lost.discard(digest)

    async def _fetch(self, digest: bytes) -> None:
        now = trio.current_time()
        if self._tried.get(digest, now - _RETRY_S) > now - _RETRY_S:
            return
        reason = f"not here within {_FETCH_S:g} s"
        with trio.move_on_after(_FETCH_S):
            try:
                await self._fetcher.fetch(digest, max_bytes=MAX_BLOB_BYTES)
                self._tried.pop(digest, None)
                _log.info("damaged blob fetched again", blob=digest.hex())
                return
            except BlobError as error:
                reason = str(error)
        self._tried[digest] = now
        _log.warning("damaged blob lost here", blob=digest.hex(), reason=reason)
