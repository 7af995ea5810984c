"""How others hand things to the task that owns a replica, and wait until it has taken them in."""

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass, field

import trio

from consensus.epoch import EpochRecord, SealedRecord
from consensus.event import Event
from consensus.replica import Replica
from node.member.health import Health

_MOST = 16  # deliveries that wait for the owner; who brings more waits too


@dataclass(frozen=True)
class Jump:
    """Another epoch to go on in: a replica at its beginning, what opened it, records in the place of ours."""

    replica: Replica
    record: EpochRecord
    snapshot: bytes
    corrected: Sequence[SealedRecord]


@dataclass(frozen=True)
class Delivery:
    """Events with checked signatures, or a jump, and how the owner says that they are in."""

    events: Sequence[Event] = ()
    jump: Jump | None = None
    done: trio.Event = field(default_factory=trio.Event)


class Inbox:
    """First in, first out. The events in it count in `health.waiting` until the owner takes them off."""

    def __init__(self, health: Health) -> None:
        self._health = health
        self._send, self._receive = trio.open_memory_channel[Delivery | None](_MOST)

    async def put(self, delivery: Delivery) -> None:
        """Returns when the owner is done with it."""
        self._health.waiting += len(delivery.events)
        try:
            await self._send.send(delivery)
        except trio.Cancelled:
            self._health.waiting -= len(delivery.events)
            raise
        await delivery.done.wait()

    def wake(self) -> None:
        """Lets the owner look for what else there is to do."""
        with contextlib.suppress(trio.WouldBlock):  # then it has work, and will look
            self._send.send_nowait(None)

    async def next(self, until: float) -> Delivery | None:
        """For the owner: what comes in next; None if it is to look for other things to do."""
        try:
            return self._receive.receive_nowait()  # also if it is late already
        except trio.WouldBlock:
            pass
        with trio.move_on_at(until):
            return await self._receive.receive()
        self._health.took("a turn of the event loop", trio.current_time() - until, trio.current_time())
        return None
