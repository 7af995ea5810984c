"""What is to be done after every turn to a new epoch: snapshots offered to peers, old epochs forgotten."""

import structlog
import trio

from node.blobs import BlobError, Blobs
from node.statesync.serving import offer_snapshots
from node.store import Store

_LOOK = 1.0  # seconds between two looks whether there was a turn

_log = structlog.get_logger(__name__)


async def follow_epochs(store: Store, blobs: Blobs, keep: int | None) -> None:
    """Until cancelled. Keeps the newest `keep` epochs in the store, all if None. Raises StoreError."""
    seen = -1
    while True:
        if store.epoch != seen:
            seen = store.epoch
            try:
                await offer_snapshots(store, blobs)
            except BlobError as error:
                _log.warning("cannot offer the ledger to others", epoch=seen, reason=str(error))
            if keep is not None:
                await store.prune(keep)
        await trio.sleep(_LOOK)
