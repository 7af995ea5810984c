"""From received bytes to events to be trusted: decoding and signature checks, kept off the event loop.

Nine tenths of the time that an event costs go into its signature, and OpenSSL checks it without the interpreter's
lock: so threads on several cores share a message, while the event loop goes on.
"""

import os
from collections.abc import Callable, Sequence
from typing import Protocol

import trio

from consensus.event import Event, EventError, decode_event
from consensus.keys import id_text

_INLINE = 4  # events; below it a thread costs more than it spares the event loop
_SLICES = 16, 64  # events checked in a thread at a time: at least, so that a thread pays, and at most
_MOST_THREADS = 4
_EPOCHS = 4  # whose events are shared


class Opener(Protocol):
    """Opens raw events."""

    async def open(
        self, raws: Sequence[bytes], epoch: bytes, known: Callable[[bytes], bool]
    ) -> list[Event]:
        """The events of `epoch` in `raws` whose hashes are not `known`, all signatures checked.

        Raises EventError if any of them is malformed, of another epoch, or not signed by its creator.
        """
        ...


class ThreadOpener:
    """Checks in worker threads, as many at a time as there are cores to use; all messages share them."""

    def __init__(self) -> None:
        self._threads = min(len(os.sched_getaffinity(0)), _MOST_THREADS)
        self._limiter = trio.CapacityLimiter(self._threads)

    async def open(
        self, raws: Sequence[bytes], epoch: bytes, known: Callable[[bytes], bool]
    ) -> list[Event]:
        """See `Opener.open`."""
        if len(raws) <= _INLINE:
            return self._open(raws, epoch, known)
        parts = self._parts(raws)
        opened: list[list[Event]] = [[] for _ in parts]
        faults: list[EventError] = []

        numbers = iter(range(len(parts)))

        async def check(scope: trio.CancelScope) -> None:
            try:
                for number in numbers:
                    opened[number] = await trio.to_thread.run_sync(
                        self._open, parts[number], epoch, known, limiter=self._limiter
                    )
            except EventError as error:
                faults.append(error)
                scope.cancel()  # what is not yet checked need not be

        async with trio.open_nursery() as nursery:
            for _ in range(min(self._threads, len(parts))):
                nursery.start_soon(check, nursery.cancel_scope)
        if faults:
            raise faults[0]
        return [event for part in opened for event in part]

    def _parts(self, raws: Sequence[bytes]) -> list[Sequence[bytes]]:
        least, most = _SLICES
        size = min(max(least, -(-len(raws) // self._threads)), most)
        return [raws[start : start + size] for start in range(0, len(raws), size)]

    def _open(self, raws: Sequence[bytes], epoch: bytes, known: Callable[[bytes], bool]) -> list[Event]:
        events = [event for raw in raws if not known((event := decode_event(raw, epoch)).hash)]
        for event in events:
            _require_signature(event)
        return events


class SharedOpener:
    """For many nodes in one process: each event is checked once, in line, and the result shared."""

    def __init__(self) -> None:
        self._opened: dict[bytes, dict[bytes, Event]] = {}  # by epoch and bytes

    async def open(
        self, raws: Sequence[bytes], epoch: bytes, known: Callable[[bytes], bool]
    ) -> list[Event]:
        """See `Opener.open`."""
        await trio.lowlevel.checkpoint()
        opened = self._opened.setdefault(epoch, {})
        if len(self._opened) > _EPOCHS:
            del self._opened[next(iter(self._opened))]
        return [event for raw in raws if not known((event := self._open(raw, epoch, opened)).hash)]

    def _open(self, raw: bytes, epoch: bytes, opened: dict[bytes, Event]) -> Event:
        if raw not in opened:
            event = decode_event(raw, epoch)
            _require_signature(event)
            opened[raw] = event
        return opened[raw]


def _require_signature(event: Event) -> None:
    if not event.verify():
        raise EventError(f"event {event.seq} of {id_text(event.creator)} is not signed by it")
