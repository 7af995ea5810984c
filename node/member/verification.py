"""From received bytes to events to be trusted: decoding and signature checks, kept off the event loop.

Seven tenths of the time that an event costs go into its signature, and nobody has to wait for one to check the
next: so cores share a message, and what comes first in it is put in order while the rest is checked.
"""

import os
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol, TypeAlias

import trio

from consensus.event import Event, EventError, decode_event
from consensus.keys import id_text
from node.member.verification_worker import SignatureWorker, all_signed
from node.system.tasks import run_all

_INLINE = 4  # events; below it a thread costs more than it spares the event loop
_SLICES = 16, 64  # events checked at a time: at least, so that a thread pays, and at most
_LARGE = 256  # events; from here on child processes pay
_CHILDREN = 3  # two check about as fast as the event loop orders, and one waits for its next events
_MOST_CORES = 4
_EPOCHS = 4  # whose events are shared

Known: TypeAlias = Callable[[bytes], bool]  # whether the event of a hash is here
Take: TypeAlias = Callable[[Sequence[Event]], Awaitable[None]]
_Decode: TypeAlias = Callable[[Sequence[bytes]], Sequence[Event]]
_Check: TypeAlias = Callable[[Sequence[Event]], Awaitable[bool]]


class EventVerifier(Protocol):
    """Opens raw events."""

    async def open(self, raws: Sequence[bytes], epoch: bytes, known: Known, take: Take) -> int:
        """Hands the events of `epoch` in `raws` whose hashes are not `known` to `take`, and returns how many.

        Some at a time, in their order, all signatures checked. Raises EventError if any of `raws` is malformed,
        of another epoch, or not signed by its creator; what comes before it may have been taken by then.
        """
        ...


@dataclass(slots=True)
class _Part:
    """Some events of a message."""

    raws: Sequence[bytes]
    events: Sequence[Event] = ()
    done: trio.Event = field(default_factory=trio.Event)


class ParallelVerifier:
    """Checks on as many cores as there are to use: in threads, and the signatures of large messages in processes.

    A thread that orders and one that checks hand the interpreter to each other after every check, and are
    hardly faster together than one after the other. So large messages, as they come while a node catches up
    or reads its store, are worth processes; small ones are not worth their memory (20 MB each).
    """

    def __init__(self) -> None:
        cores = min(len(os.sched_getaffinity(0)), _MOST_CORES)
        self._limiter = trio.CapacityLimiter(cores)  # all messages share the threads
        self._children = [SignatureWorker() for _ in range(_CHILDREN)]

    async def aclose(self) -> None:
        """Ends the processes."""
        for child in self._children:
            await child.aclose()

    async def open(self, raws: Sequence[bytes], epoch: bytes, known: Known, take: Take) -> int:
        """See `EventVerifier.open`."""
        if len(raws) <= _INLINE:
            events = _decode(raws, epoch, known)
            _require_signatures(events)
            await take(events)
            return len(events)
        threads: list[_Check] = [self._check_in_thread] * int(self._limiter.total_tokens)
        checks = threads if len(raws) < _LARGE else [child.check for child in self._children]
        return await _share(_cut(raws, len(checks)), checks, lambda some: _decode(some, epoch, known), take)

    async def _check_in_thread(self, events: Sequence[Event]) -> bool:
        return await trio.to_thread.run_sync(all_signed, events, limiter=self._limiter)


async def _share(parts: Sequence[_Part], checks: Sequence[_Check], decode: _Decode, take: Take) -> int:
    """Opens the parts, several at a time, and hands them over one after the other."""
    waiting = iter(parts)

    async def work(check: _Check) -> None:
        for part in waiting:
            part.events = decode(part.raws)
            if part.events and not await check(part.events):
                _require_signatures(part.events)
            part.done.set()

    async def hand_over() -> None:
        for part in parts:
            await part.done.wait()
            await take(part.events)

    await run_all(*(partial(work, check) for check in checks), hand_over)
    return sum(len(part.events) for part in parts)


def _cut(raws: Sequence[bytes], shares: int) -> list[_Part]:
    least, most = _SLICES
    size = min(max(least, -(-len(raws) // shares)), most)
    return [_Part(raws[start : start + size]) for start in range(0, len(raws), size)]


class CachingVerifier:
    """For many nodes in one process: each event is checked once, in line, and the result shared."""

    def __init__(self) -> None:
        self._opened: dict[bytes, dict[bytes, Event]] = {}  # by epoch and bytes

    async def open(self, raws: Sequence[bytes], epoch: bytes, known: Known, take: Take) -> int:
        """See `EventVerifier.open`."""
        await trio.lowlevel.checkpoint()
        opened = self._opened.setdefault(epoch, {})
        if len(self._opened) > _EPOCHS:
            del self._opened[next(iter(self._opened))]
        events = [event for raw in raws if not known((event := self._open(raw, epoch, opened)).hash)]
        await take(events)
        return len(events)

    def _open(self, raw: bytes, epoch: bytes, opened: dict[bytes, Event]) -> Event:
        if raw not in opened:
            event = decode_event(raw, epoch)
            _require_signatures([event])
            opened[raw] = event
        return opened[raw]


def _decode(raws: Sequence[bytes], epoch: bytes, known: Known) -> list[Event]:
    return [event for raw in raws if not known((event := decode_event(raw, epoch)).hash)]


def _require_signatures(events: Sequence[Event]) -> None:
    for event in events:
        if not event.verify():
            raise EventError(f"event {event.seq} of {id_text(event.creator)} is not signed by it")
