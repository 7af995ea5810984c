"""A counter of changes on which tasks can wait without missing one."""

import trio


class ChangeCounter:
    """Counts the changes of something at which several tasks look, and wakes them at each.

    A `trio.Event` is set once and for all; this can be waited on again and again. A task that looks, awaits other
    things and only then waits reads `count` before it looks:

        seen = counter.count
        ...
        await counter.wait_beyond(seen)
    """

    def __init__(self) -> None:
        self.count = 0
        self._changed = trio.Event()

    def increment(self) -> None:
        """Count a change and wake every task that waits."""
        self.count += 1
        changed, self._changed = self._changed, trio.Event()
        changed.set()

    async def wait(self) -> None:
        """Wait for the next change."""
        await self._changed.wait()

    async def wait_beyond(self, seen: int) -> None:
        """Wait until `count` is more than `seen`; return at once if it is."""
        while self.count <= seen:
            await self._changed.wait()
