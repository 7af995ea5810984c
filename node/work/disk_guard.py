"""Watches the room on the disk of the data folder, and deletes what can be deleted before it is full.

In the first tier of the disk (`node.work.limits`) these go, in this order, until there is room again: the older half of
the logs of child processes; models laid out for work that is over, which blobs can lay out again; blobs that the ledger
does not name any more, such as states of training that are superseded, shards that no training takes and games of
matches that were lost. They go two minutes after they were needed last, and not after an hour. In the second tier
nothing new is claimed. What the ledger names is never deleted.
"""

import shutil
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path

import structlog
import trio

from node.blobs.garbage_collection import GarbageCollector
from node.work.limits import DISK_WORDS, DiskReading, WorkLimits, disk_tier

LOOK_S = 20.0
GRACE_S = 120.0
"""So long what has not been needed is kept where room is scarce: jobs read what they were given at their beginning."""

_log = structlog.get_logger(__name__)


def read_disk(folder: Path) -> DiskReading | None:
    """Return the reading of the file system on which a folder is; None if that cannot be told."""
    try:
        usage = shutil.disk_usage(folder)
    except OSError:
        return None
    return DiskReading(usage.free, usage.total)


class DiskGuard:
    """Looks every `LOOK_S` at what is free in the folder `data`, writes it into `limits`, and tidies up.

    Without a `collector`, blobs and models are kept.
    """

    def __init__(
        self,
        limits: WorkLimits,
        data: Path,
        collector: GarbageCollector | None,
        read: Callable[[Path], DiskReading | None] = read_disk,
    ) -> None:
        self._limits, self._data, self._collector, self._read = limits, data, collector, read

    async def run(self, is_at_rest: Callable[[], bool]) -> None:
        """Watch until cancelled. `is_at_rest` is that of `GarbageCollector.run`."""
        while True:
            await self.look(is_at_rest())
            await trio.sleep(LOOK_S)

    async def look(self, is_at_rest: bool) -> None:
        """Look once, and delete what has to go; blobs and models only if the ledger here is the swarm's."""
        if not self._measure():
            return
        steps: list[Callable[[], Awaitable[None]]] = [self._delete_old_logs]
        if is_at_rest and self._collector is not None:
            collector = self._collector
            steps += [lambda: collector.collect_models(GRACE_S), lambda: collector.collect_blobs(GRACE_S)]
        for step in steps:
            await step()
            if not self._measure():
                return

    def _measure(self) -> int:
        """Return the tier of the disk after a new look."""
        reading = self._read(self._data)
        if reading is None:
            return 0
        before, tier = (
            self._limits.disk_tier,
            disk_tier(self._limits.disk_tier, reading.free_bytes, reading.total_bytes),
        )
        self._limits.disk, self._limits.disk_tier = reading, tier
        if tier != before:
            follows = DISK_WORDS[tier] or "as usual"
            _log.info("disk", tier=tier, free_mb=reading.free_bytes >> 20, follows=follows)
        return tier

    async def _delete_old_logs(self) -> None:
        for log in self._data.glob("*.log.1"):
            with suppress(OSError):
                await trio.to_thread.run_sync(log.unlink)
