"""Keeping in the archive what the ledger counts: shards, models and games of promotions, and certificates.

What is there and no node has any more is brought back when a member asks for it.
"""

from collections.abc import Callable, Iterator

import structlog
import trio

from consensus.certificate.envelope import make_certificate
from consensus.ledger import Ledger
from consensus.ledger.records.entities import Promotion
from consensus.ledger.steering.custody import kept_shards
from node.blobs import MAX_BLOB_BYTES, BlobError
from node.blobs.archive import Archive
from node.blobs.fetching import BlobFetcher
from node.blobs.needs import counted_games
from node.blobs.s3 import BucketError

_FIRST_S = 30.0  # after the start, when there is other work to do
_LOOK_S = 30.0  # between two looks at the ledger
_LONGEST_PAUSE_S = 600.0  # where the archive does not work
_RETRY_S = 600.0  # for a blob that nobody could give
_FETCH_S = 120.0
_ASKED_LOOK_S = 1.0  # between two looks at what members asked for in vain

_log = structlog.get_logger(__name__)


def counted_blobs(ledger: Ledger) -> Iterator[bytes]:
    """Yield the digests of the blobs that the ledger counts: of promotions first, then of shards, newest first."""
    for promotion in ledger.promotions():
        yield from promotion.model.files.values()
        yield from counted_games(promotion)
    for configuration in ledger.configurations():
        for shard in kept_shards(ledger, configuration.name):
            if shard.is_safe and shard.standing == "counted":
                yield shard.digest


class Archiver:
    """Writes into the archive, one thing after the other, what is not there yet; what is not here it fetches before.

    What is there it learns from the archive alone, so that a restart, or another member with the same archive, makes
    nothing be written twice.
    """

    def __init__(self, archive: Archive, ledger: Callable[[], Ledger], fetcher: BlobFetcher) -> None:
        self.archive = archive
        self._ledger, self._fetcher = ledger, fetcher
        self._sizes: dict[bytes, int] = {}  # of what is counted and in the archive, in bytes
        self._certificates: set[bytes] = set()  # those in the archive
        self._retry_at: dict[bytes, float] = {}
        self._asked: dict[bytes, None] = {}  # blobs in the archive that members asked for and that are not here
        self.waiting = 0

    @property
    def archived(self) -> int:
        """The number of blobs that are counted and known to be in the archive."""
        return len(self._sizes)

    @property
    def archived_bytes(self) -> int:
        """Their bytes."""
        return sum(self._sizes.values())

    def observe_missed(self, digest: bytes) -> None:
        """Take in that a member asked for a blob that is not here; what is in the archive is brought back."""
        if digest in self._sizes:
            self._asked[digest] = None

    async def run(self) -> None:
        """Archive, and bring back what members ask for, until cancelled."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._bring_back)
            await self._archive_again_and_again()

    async def _bring_back(self) -> None:
        """Bring back what is asked for, one blob after the other; what fails is left alone for a while."""
        while True:
            await trio.sleep(_ASKED_LOOK_S)
            for digest in tuple(self._asked):
                if self._retry_at.get(digest, 0.0) <= (now := trio.current_time()) and not await self._is_back(digest):
                    self._retry_at[digest] = now + _RETRY_S
                del self._asked[digest]

    async def _is_back(self, digest: bytes) -> bool:
        """Return whether a blob is here, after it was fetched from peers or read back, if need be."""
        with trio.move_on_after(_FETCH_S):
            try:
                await self._fetcher.fetch(digest, max_bytes=self._sizes.get(digest, 0))
                return True
            except BlobError as error:
                _log.info("blob not brought back yet", blob=digest.hex(), reason=str(error))
        return False

    async def _archive_again_and_again(self) -> None:
        pause_s = _FIRST_S
        has_failed = False
        while True:
            await trio.sleep(pause_s)
            try:
                await self.archive_all()
            except BucketError as error:
                pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
                if not has_failed:
                    _log.warning("archive does not work", waiting=self.waiting, reason=str(error))
                has_failed = True
                continue
            if has_failed:
                _log.info("archive works again", archive=self.archive.place)
            pause_s, has_failed = _LOOK_S, False

    async def archive_all(self) -> None:
        """Archive what the ledger counts now and is not in the archive. Raise BucketError."""
        ledger = self._ledger()
        counted = tuple(dict.fromkeys(counted_blobs(ledger)))
        self._sizes = {digest: self._sizes[digest] for digest in counted if digest in self._sizes}
        missing = [digest for digest in counted if digest not in self._sizes]
        certificates = [entry for entry in ledger.promotions() if entry.digest not in self._certificates]
        self.waiting = len(missing) + len(certificates)
        for promotion in certificates:
            await self._archive_certificate(promotion, ledger)
        for digest in missing:
            await self._archive(digest)

    async def _archive(self, digest: bytes) -> None:
        now = trio.current_time()
        if self._retry_at.get(digest, now) > now:
            return
        size = await self.archive.size(digest)
        if size is None:
            try:
                with trio.fail_after(_FETCH_S):
                    await self._fetcher.fetch(digest, max_bytes=MAX_BLOB_BYTES)
                size = await self.archive.upload(digest)
            except (BlobError, trio.TooSlowError) as error:
                self._retry_at[digest] = now + _RETRY_S
                reason = str(error) or f"not here within {_FETCH_S:g} s"
                _log.info("blob archived later", blob=digest.hex(), reason=reason)
                return
        self._retry_at.pop(digest, None)
        self._sizes[digest] = size
        self.waiting -= 1

    async def _archive_certificate(self, promotion: Promotion, ledger: Ledger) -> None:
        certificate = make_certificate(promotion, ledger)
        if certificate is None:
            return
        name = f"certificates/{promotion.digest.hex()}.json"
        if await self.archive.size_of_file(name) is None:
            await self.archive.upload_file(name, certificate)
        self._certificates.add(promotion.digest)
        self.waiting -= 1
