"""The bulk data of a running node: kept in its data folder, fetched, checked again and again, and deleted."""

import random
from collections.abc import Callable
from pathlib import Path

from consensus.keys import MemberId
from consensus.ledger import Ledger
from node.blobs.fetching import BlobFetcher
from node.blobs.files import FileBlobs
from node.blobs.garbage_collection import GarbageCollector
from node.blobs.incoming import IncomingBlobs
from node.blobs.needs import needed_blobs
from node.blobs.scrubbing import Scrubber
from node.transport import Transport


class BulkData:
    """What has to do with blobs in the data folder `data` of a member.

    `ledger` returns the ledger, which says what is needed and what is to be held.
    """

    def __init__(
        self,
        member: MemberId,
        data: Path,
        *,
        ledger: Callable[[], Ledger],
        transport: Transport,
        chance: random.Random,
    ) -> None:
        self.transport = transport
        self.blobs = FileBlobs(data / "blobs")
        self.fetcher = BlobFetcher(self.blobs, transport, [], chance)
        self.incoming = IncomingBlobs(member, ledger, self.blobs, self.fetcher)
        self.collector = GarbageCollector(ledger, self.blobs, self.fetcher, data / "models")
        self.scrubber = Scrubber(self.blobs, self.fetcher, lambda: needed_blobs(ledger()))
