"""What is to be done in every new epoch: old epochs are pruned from the store."""

import trio

from node.store import Store

_POLL_S = 1.0  # between two looks whether an epoch has begun


async def prune_epochs(store: Store, keep: int | None) -> None:
    """Prune the store in every new epoch to the newest `keep`, until cancelled; if None, keep all. Raise StoreError."""
    seen = -1
    while True:
        if keep is not None and store.epoch != seen:
            seen = store.epoch
            await store.prune(keep)
        await trio.sleep(_POLL_S)
