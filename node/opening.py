"""From received bytes to events to be trusted: decoding and signature checks, kept off the event loop."""

from collections.abc import Callable, Sequence
from typing import Protocol

import trio

from consensus.event import Event, EventError, decode_event
from consensus.keys import id_text

_INLINE = 4  # events; below it a thread costs more than it spares the event loop
_SLICE = 64  # events checked in a thread at a time


class Opener(Protocol):
    """Opens raw events of one epoch."""

    async def open(self, raws: Sequence[bytes], known: Callable[[bytes], bool]) -> list[Event]:
        """The events in `raws` whose hashes are not `known`, all signatures checked.

        Raises EventError if any of them is malformed, of another epoch, or not signed by its creator.
        """
        ...


class ThreadOpener:
    """Checks in worker threads, a slice at a time."""

    def __init__(self, epoch: bytes) -> None:
        self._epoch = epoch

    async def open(self, raws: Sequence[bytes], known: Callable[[bytes], bool]) -> list[Event]:
        """See `Opener.open`."""
        events: list[Event] = []
        for start in range(0, len(raws), _SLICE):
            part = raws[start : start + _SLICE]
            if len(part) <= _INLINE:
                events += self._open(part, known)
            else:
                events += await trio.to_thread.run_sync(self._open, part, known)
        return events

    def _open(self, raws: Sequence[bytes], known: Callable[[bytes], bool]) -> list[Event]:
        events = [event for raw in raws if not known((event := decode_event(raw, self._epoch)).hash)]
        for event in events:
            _require_signature(event)
        return events


class SharedOpener:
    """For many nodes in one process: each event is checked once, in line, and the result shared."""

    def __init__(self, epoch: bytes) -> None:
        self._epoch = epoch
        self._opened: dict[bytes, Event] = {}

    async def open(self, raws: Sequence[bytes], known: Callable[[bytes], bool]) -> list[Event]:
        """See `Opener.open`."""
        await trio.lowlevel.checkpoint()
        return [event for raw in raws if not known((event := self._open(raw)).hash)]

    def _open(self, raw: bytes) -> Event:
        if raw not in self._opened:
            event = decode_event(raw, self._epoch)
            _require_signature(event)
            self._opened[raw] = event
        return self._opened[raw]


def _require_signature(event: Event) -> None:
    if not event.verify():
        raise EventError(f"event {event.seq} of {id_text(event.creator)} is not signed by it")
