"""From received bytes to events to be trusted: events are decoded and their signatures verified off the event loop.

Seven tenths of the time that an event costs go into its signature, and nobody has to wait for one to verify the next.
So a message is cut into parts that several cores verify at a time, and the first parts are put in order while the
others are still being verified:

    raws --cut--> parts --decode--> events --verify, several at a time--> done --in order--> `insert`

What is read back from the store goes the same way without a pause between two reads.

A protocol with two implementations stands here: `ParallelVerifier` for real nodes, which uses threads for small
messages and child processes (`verification_worker`) for large ones, and `CachingVerifier` for whole swarms in one
process, where each event is verified once and in line, so that virtual time stands still meanwhile.
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

_MAX_INLINE = 4  # events; below it a thread costs more than it spares the event loop
_PART_SIZES = 16, 64  # events verified at a time: at least, so that a thread pays, and at most
_MIN_FOR_CHILDREN = 256  # events; from here on child processes pay
_CHILDREN = 3  # two verify about as fast as the event loop orders, and one waits for its next events
_MAX_CORES = 4
_PARTS_AHEAD = 32  # that wait to be inserted while more is read
_MAX_CACHED_EPOCHS = 4

IsKnown: TypeAlias = Callable[[bytes], bool]
"""Tells whether the event with this hash is here already."""

Insert: TypeAlias = Callable[[Sequence[Event]], Awaitable[None]]
"""Takes in verified events."""

Read: TypeAlias = Callable[[], Awaitable[Sequence[bytes]]]
"""Returns the next raw events, time after time; none at the end."""

_Decode: TypeAlias = Callable[[Sequence[bytes]], Sequence[Event]]
_Verify: TypeAlias = Callable[[Sequence[Event]], Awaitable[bool]]


class EventVerifier(Protocol):
    """Turns raw events into verified ones."""

    async def verify(self, raws: Sequence[bytes], epoch: bytes, is_known: IsKnown, insert: Insert) -> int:
        """Hand the events of `epoch` in `raws` that are not known to `insert`, some at a time; return how many.

        They come in their order, with all signatures verified. Raise EventError if any of `raws` is malformed, of
        another epoch, or not signed by its creator; what comes before it may have been inserted by then.
        """
        ...

    async def verify_all(self, read: Read, epoch: bytes, insert: Insert) -> int:
        """Do the same with all that `read` returns; none of it is known. Read on while earlier events are verified."""
        ...


class ParallelVerifier:
    """Verifies on as many cores as there are to use: in threads, and large messages in child processes.

    A thread that orders and one that verifies hand the interpreter to each other after every signature, and are
    hardly faster together than one after the other. So large messages, as they come while a node catches up or
    reads its store, are worth processes; small ones are not worth their memory (20 MB each).
    """

    def __init__(self) -> None:
        cores = min(len(os.sched_getaffinity(0)), _MAX_CORES)
        self._limiter = trio.CapacityLimiter(cores)  # all messages share the threads
        self._children = [SignatureWorker() for _ in range(_CHILDREN)]

    async def aclose(self) -> None:
        """End the child processes."""
        for child in self._children:
            await child.aclose()

    async def verify(self, raws: Sequence[bytes], epoch: bytes, is_known: IsKnown, insert: Insert) -> int:
        """See `EventVerifier.verify`."""
        if len(raws) <= _MAX_INLINE:
            events = _decode(raws, epoch, is_known)
            _require_signatures(events)
            await insert(events)
            return len(events)
        verifiers = self._verifiers(len(raws))
        return await _share(_first(raws), verifiers, lambda some: _decode(some, epoch, is_known), insert)

    async def verify_all(self, read: Read, epoch: bytes, insert: Insert) -> int:
        """See `EventVerifier.verify_all`."""
        first = await read()
        verifiers = self._verifiers(len(first))
        return await _share(_first(first, read), verifiers, lambda some: _decode(some, epoch, _is_unknown), insert)

    def _verifiers(self, count: int) -> Sequence[_Verify]:
        """Return what verifies a message of so many events, in as many places at a time."""
        if count < _MIN_FOR_CHILDREN:
            return [self._verify_in_thread] * int(self._limiter.total_tokens)
        return [child.verify for child in self._children]

    async def _verify_in_thread(self, events: Sequence[Event]) -> bool:
        return await trio.to_thread.run_sync(all_signed, events, limiter=self._limiter)


@dataclass(slots=True)
class _Part:
    """Some events of a message."""

    raws: Sequence[bytes]
    events: Sequence[Event] = ()
    done: trio.Event = field(default_factory=trio.Event)


def _cut(raws: Sequence[bytes], shares: int) -> list[_Part]:
    least, most = _PART_SIZES
    size = min(max(least, -(-len(raws) // shares)), most)
    return [_Part(raws[start : start + size]) for start in range(0, len(raws), size)]


def _first(raws: Sequence[bytes], read: Read | None = None) -> Read:
    """Return what returns `raws` when it is called first, and then what `read` does."""
    begun = False

    async def read_on() -> Sequence[bytes]:
        nonlocal begun
        if not begun:
            begun = True
            return raws
        return () if read is None else await read()

    return read_on


async def _share(read: Read, verifiers: Sequence[_Verify], decode: _Decode, insert: Insert) -> int:
    """Verify what is read in parts, several at a time, and insert these one after the other; return how many events.

    Read on while parts are verified and inserted.
    """
    to_verify, waiting = trio.open_memory_channel[_Part](0)
    to_insert, in_order = trio.open_memory_channel[_Part](_PARTS_AHEAD)
    count = 0

    async def hand_out() -> None:
        async with to_verify, to_insert:
            while raws := await read():
                for part in _cut(raws, len(verifiers)):
                    await to_insert.send(part)
                    await to_verify.send(part)

    async def work(verify: _Verify) -> None:
        async for part in waiting:
            part.events = decode(part.raws)
            if part.events and not await verify(part.events):
                _require_signatures(part.events)
            part.done.set()

    async def insert_in_order() -> None:
        nonlocal count
        async for part in in_order:
            await part.done.wait()
            await insert(part.events)
            count += len(part.events)

    await run_all(hand_out, *(partial(work, verify) for verify in verifiers), insert_in_order)
    return count


class CachingVerifier:
    """For many nodes in one process: each event is verified once, in line, and the result shared."""

    def __init__(self) -> None:
        self._verified: dict[bytes, dict[bytes, Event]] = {}  # by epoch and bytes

    async def verify(self, raws: Sequence[bytes], epoch: bytes, is_known: IsKnown, insert: Insert) -> int:
        """See `EventVerifier.verify`."""
        await trio.lowlevel.checkpoint()
        verified = self._verified.setdefault(epoch, {})
        if len(self._verified) > _MAX_CACHED_EPOCHS:
            del self._verified[next(iter(self._verified))]
        events = [event for raw in raws if not is_known((event := self._verify(raw, epoch, verified)).hash)]
        await insert(events)
        return len(events)

    async def verify_all(self, read: Read, epoch: bytes, insert: Insert) -> int:
        """See `EventVerifier.verify_all`."""
        count = 0
        while raws := await read():
            count += await self.verify(raws, epoch, _is_unknown, insert)
        return count

    def _verify(self, raw: bytes, epoch: bytes, verified: dict[bytes, Event]) -> Event:
        if raw not in verified:
            event = decode_event(raw, epoch)
            _require_signatures([event])
            verified[raw] = event
        return verified[raw]


def _is_unknown(_hash: bytes) -> bool:
    return False


def _decode(raws: Sequence[bytes], epoch: bytes, is_known: IsKnown) -> list[Event]:
    return [event for raw in raws if not is_known((event := decode_event(raw, epoch)).hash)]


def _require_signatures(events: Sequence[Event]) -> None:
    for event in events:
        if not event.verify():
            raise EventError(f"event {event.seq} of {id_text(event.creator)} is not signed by it")
