"""The ledger snapshots that peers may ask for, read as blobs from the store, so that each lies on disk once."""

from hashlib import sha256

import structlog

from node.store import Store

_OFFERED = 2  # that of the open epoch and, as its record may lack seals, the one before

_log = structlog.get_logger(__name__)


class StoredSnapshots:
    """Finds the newest snapshots of a store by digest. The last one found is kept, since peers read it in pieces."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._digest, self._snapshot = b"", b""

    async def find(self, digest: bytes) -> bytes | None:
        """Return the snapshot with this digest if it is one of the newest, and undamaged. Raise StoreError."""
        if digest != self._digest:
            snapshot = await self._read(digest)
            if snapshot is None:
                return None
            self._digest, self._snapshot = digest, snapshot
        return self._snapshot

    async def _read(self, digest: bytes) -> bytes | None:
        for number in range(self._store.epoch, max(0, self._store.epoch - _OFFERED), -1):
            record = await self._store.read_record(number)
            if record is None or record.snapshot != digest:
                continue
            snapshot = await self._store.read_snapshot(number)
            if snapshot is None or sha256(snapshot).digest() == digest:
                return snapshot  # there is none of an epoch that was jumped over
            _log.warning("damaged snapshot not served", epoch=number)
        return None
