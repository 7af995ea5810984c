"""Deletes what is not needed any more: blobs that the ledger does not name, and models laid out for work."""

import os
import shutil
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Generic, TypeVar

import structlog
import trio

from consensus.ledger import Ledger
from node.blobs import BlobError
from node.blobs.fetching import BlobFetcher
from node.blobs.files import FileBlobs
from node.blobs.needs import needed_blobs, needed_models

LOOK_S = 600.0
GRACE_S = 3600.0  # for which something has not been needed: work that was begun with it is over, or was given up

_T = TypeVar("_T")

_log = structlog.get_logger(__name__)


class GarbageCollector:
    """Looks now and then at what is here and what is needed. What it remembers begins anew with each process."""

    def __init__(self, ledger: Callable[[], Ledger], blobs: FileBlobs, fetcher: BlobFetcher, models: Path) -> None:
        """Collect in `blobs`, and in `models`, the directory in which models are laid out for work."""
        self._ledger = ledger
        self._blobs, self._fetcher, self._models = blobs, fetcher, models
        self._models_here, self._blobs_here = _Unneeded[str]("models"), _Unneeded[bytes]("blobs")

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
        await self.collect_models(GRACE_S)
        await self.collect_blobs(GRACE_S)

    async def collect_models(self, grace_s: float) -> None:
        """Delete the models laid out for work that nobody works with, by what looks of the last `grace_s` say."""
        laid_out = {digest.hex() for digest in needed_models(self._ledger())}
        for name in self._models_here.overdue({*_names(self._models)} - laid_out, grace_s):
            await trio.to_thread.run_sync(shutil.rmtree, self._models / name, True)  # whether it was there

    async def collect_blobs(self, grace_s: float) -> None:
        """Delete the blobs that the ledger does not name, by what looks of the last `grace_s` say. Raise StoreError."""
        needed = needed_blobs(self._ledger()) | self._fetcher.running
        try:
            for digest in self._blobs_here.overdue(await self._blobs.digests() - needed, grace_s):
                await self._blobs.remove(digest)
        except BlobError as error:
            _log.warning("cannot delete unneeded files", reason=str(error))


class _Unneeded(Generic[_T]):
    """What is here and has not been needed, and since when."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._since: dict[_T, float] = {}

    def overdue(self, unneeded: Collection[_T], grace_s: float) -> list[_T]:
        """Take in what is not needed now; return what has not been for `grace_s`."""
        now = trio.current_time()
        self._since = {entry: self._since.get(entry, now) for entry in unneeded}
        overdue = [entry for entry, since in self._since.items() if since + grace_s <= now]
        if overdue:
            _log.info("deleting unneeded files", **{self._name: len(overdue)})
        return overdue


def _names(directory: Path) -> list[str]:
    try:
        return os.listdir(directory)
    except OSError:
        return []
