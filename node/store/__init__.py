"""What a node keeps of its epoch on disk: every event, in the order in which they were attached."""

from collections.abc import Sequence
from typing import Protocol

from consensus.event import Event


class StoreError(Exception):
    """A store that cannot be used or written; the message is one line with the remedy.

    After a failed write nobody knows what the disk holds: the node has to stop and read it again.
    """


class Store(Protocol):
    """Events in their order of arrival. `append_own` also makes durable what was appended before it."""

    @property
    def place(self) -> str:
        """Where it is, for messages to people."""
        ...

    async def append(self, events: Sequence[Event]) -> None:
        """Writes received events. A power loss may take the last of them: peers have them.

        Raises StoreError.
        """
        ...

    async def append_own(self, event: Event) -> None:
        """Writes an own event, and returns when it would survive a power loss. Raises StoreError.

        Only then may the event be shown to anybody: one that is forgotten after it was sent would be
        followed by another with the same sequence number, and that is an equivocation.
        """
        ...

    async def read(self, start: int, count: int) -> list[bytes]:
        """Up to `count` raw events from the position `start` on; fewer only at the end. Raises StoreError."""
        ...

    async def close(self) -> None:
        """Writes what is outstanding. The store must not be used afterwards."""
        ...
