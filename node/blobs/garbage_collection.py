"""Deletes what is not needed any more: blobs that the ledger does not name, and models laid out for work."""

import os
import shutil
from collections.abc import Callable, Collection
from pathlib import Path

import structlog
import trio

from consensus.ledger import Ledger
from node.blobs import BlobError
from node.blobs.fetching import BlobFetcher
from node.blobs.files import FileBlobs
from node.blobs.needs import needed_blobs, needed_models

LOOK_S = 600.0
GRACE_S = 3600.0  # for which something has not been needed: work that was begun with it is over, or was given up

_log = structlog.get_logger(__name__)


class GarbageCollector:
    """Looks now and then at what is here and what is needed. What it remembers begins anew with each process."""

    def __init__(self, ledger: Callable[[], Ledger], blobs: FileBlobs, fetcher: BlobFetcher, models: Path) -> None:
        """Collect in `blobs`, and in `models`, the directory in which models are laid out for work."""
        self._ledger = ledger
        self._blobs, self._fetcher, self._models = blobs, fetcher, models
        self._unneeded_since: dict[bytes | str, float] = {}  # by digest of a blob, or name of a model's directory

    async def run(self, is_at_rest: Callable[[], bool]) -> None:
        """Collect now and then until cancelled. Raise StoreError.

        `is_at_rest` tells whether the ledger here is the swarm's and none of our transactions waits: what these name
        is in no ledger before they are ordered.
        """
        while True:
            await trio.sleep(LOOK_S)
            if is_at_rest():
                await self.collect()

    async def collect(self) -> None:
        """Delete what was not needed at any look during the last `GRACE_S`. Raise StoreError."""
        ledger = self._ledger()
        needed = needed_blobs(ledger) | self._fetcher.running
        laid_out = {digest.hex() for digest in needed_models(ledger)}
        try:
            here: set[bytes | str] = {*await self._blobs.digests(), *_names(self._models)}
            for entry in self._overdue(here - needed - laid_out):
                if isinstance(entry, bytes):
                    await self._blobs.remove(entry)
                else:
                    await trio.to_thread.run_sync(shutil.rmtree, self._models / entry, True)  # whether it was there
        except (BlobError, OSError) as error:
            _log.warning("cannot delete unneeded files", reason=str(error))

    def _overdue(self, unneeded: Collection[bytes | str]) -> list[bytes | str]:
        now = trio.current_time()
        self._unneeded_since = {entry: self._unneeded_since.get(entry, now) for entry in unneeded}
        overdue = [entry for entry, since in self._unneeded_since.items() if since + GRACE_S <= now]
        if overdue:
            _log.info("deleting unneeded files", blobs=sum(isinstance(entry, bytes) for entry in overdue))
        return overdue


def _names(directory: Path) -> list[str]:
    try:
        return os.listdir(directory)
    except FileNotFoundError:
        return []
