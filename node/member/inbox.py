"""How other tasks hand things to the task that owns the replica, and wait until it has taken them in."""

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass, field

import trio

from consensus.epoch import EpochRecord, SealedRecord
from consensus.event import Event
from consensus.replica import Replica
from node.member.health import Health

_MAX_WAITING = 16  # deliveries; whoever brings another one waits until there is room


@dataclass(frozen=True)
class Jump:
    """Another epoch to go on in: a replica at its beginning, what opened it, and records that replace stored ones."""

    replica: Replica
    record: EpochRecord
    snapshot: bytes
    corrected: Sequence[SealedRecord]


@dataclass(frozen=True)
class Delivery:
    """A jump, or events with checked signatures. The owner sets `done` when they are in.

    With `precedes_exchange` a peer is told next what is here, so the owner makes an own event first if one is due then.
    """

    events: Sequence[Event] = ()
    jump: Jump | None = None
    precedes_exchange: bool = False
    done: trio.Event = field(default_factory=trio.Event)


class Inbox:
    """First in, first out. Its events count in `Health.waiting` until the owner subtracts them."""

    def __init__(self, health: Health) -> None:
        self._health = health
        self._send, self._receive = trio.open_memory_channel[Delivery | None](_MAX_WAITING)

    async def put(self, delivery: Delivery) -> None:
        """Hand a delivery to the owner; return when the owner is done with it."""
        self._health.waiting += len(delivery.events)
        try:
            await self._send.send(delivery)
        except trio.Cancelled:
            self._health.waiting -= len(delivery.events)
            raise
        await delivery.done.wait()

    def wake(self) -> None:
        """Make the owner look for what else there is to do."""
        with contextlib.suppress(trio.WouldBlock):  # then it has work, and will look
            self._send.send_nowait(None)

    async def next(self, until: float) -> Delivery | None:
        """Wait for the next delivery, for the owner; return None if it is to look for other things to do.

        `until` is the time, in seconds of trio's clock, at which it looks in any case.
        """
        try:
            return self._receive.receive_nowait()  # even if it is late already
        except trio.WouldBlock:
            pass
        with trio.move_on_at(until):
            return await self._receive.receive()
        self._health.observe_delay("a turn of the event loop", trio.current_time() - until, trio.current_time())
        return None
