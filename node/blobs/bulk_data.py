"""The bulk data of a running node: kept in its data folder, fetched, checked again and again, and deleted."""

import random
from collections.abc import Callable
from pathlib import Path

from consensus.keys import MemberId
from consensus.ledger import Ledger
from node.blobs.archive import Archive
from node.blobs.archiving import Archiver
from node.blobs.fetching import BlobFetcher
from node.blobs.files import FileBlobs
from node.blobs.garbage_collection import GarbageCollector
from node.blobs.handed_over import HandedOver
from node.blobs.incoming import IncomingBlobs
from node.blobs.needs import needed_blobs
from node.blobs.s3 import Bucket
from node.blobs.scrubbing import Scrubber
from node.config.archive import ArchiveAccess
from node.transport import Transport


class BulkData:
    """What has to do with blobs in the data folder `data` of a member.

    `ledger` returns the ledger, which says what is needed and what is to be held. With `archive`, what it counts is
    also kept there. `trains` tells whether checkpoints of trainings are of use to this node.
    """

    def __init__(
        self,
        member: MemberId,
        data: Path,
        *,
        ledger: Callable[[], Ledger],
        transport: Transport,
        chance: random.Random,
        archive: ArchiveAccess | None = None,
        trains: bool = False,
    ) -> None:
        self.transport = transport
        self.blobs = FileBlobs(data / "blobs")
        kept = None if archive is None else Archive(Bucket(archive), self.blobs)
        self.fetcher = BlobFetcher(self.blobs, transport, [], chance, archive=kept)
        self.archiver = None if kept is None else Archiver(kept, ledger, self.fetcher)
        self.handed_over = HandedOver(self.blobs, lambda: trains)
        self.incoming = IncomingBlobs(member, ledger, self.blobs, self.fetcher, self.handed_over.expected)
        self.collector = GarbageCollector(ledger, self.blobs, self.fetcher, data / "models")
        self.scrubber = Scrubber(self.blobs, self.fetcher, lambda: needed_blobs(ledger()))

    async def aclose(self) -> None:
        """Close the connections to the archive."""
        if self.archiver is not None:
            await self.archiver.archive.aclose()
