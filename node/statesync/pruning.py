"""What is to be done in every new epoch: snapshots are offered to peers, and old epochs are pruned."""

import structlog
import trio

from node.blobs import BlobError, Blobs
from node.statesync.serving import offer_snapshots
from node.store import Store

_POLL_S = 1.0  # between two looks whether an epoch has begun

_log = structlog.get_logger(__name__)


async def offer_and_prune(store: Store, blobs: Blobs, keep: int | None) -> None:
    """Offer the snapshots of every new epoch and prune the store, until cancelled.

    The store keeps the newest `keep` epochs, all if None. Raise StoreError.
    """
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
        await trio.sleep(_POLL_S)
