"""Watches the memory of the machine and of each slot's process, and makes room in time, before the kernel does.

The machine's tiers are those of `node.work.limits`. A process has a share, the memory that may be used divided by the
slots and the node. From 60% of that on its slot plays fewer games at once, from 70% on it gets a new process before its
next claim, and from 80% on it is ended, if more than 60% of the machine's memory are used, too: what nobody else needs
it may have.
"""

from collections.abc import Callable, Sequence

import structlog
import trio

from node.system.memory import MemoryReading, read_memory, resident_bytes
from node.work.drain import Drain
from node.work.limits import MEMORY_WORDS, WorkLimits, memory_tier
from node.work.slots import SlotState

LOOK_S = 2.0
SETTLE_S = 10.0
"""So long after a job was ended the next one is, and in the highest tier the node: what it held has to come back."""

_log = structlog.get_logger(__name__)


class MemoryGuard:
    """Looks every `LOOK_S` at what is used, and writes into `limits` and the slots what follows from it."""

    def __init__(
        self,
        limits: WorkLimits,
        slots: Sequence[SlotState],
        drain: Drain,
        read: Callable[[], MemoryReading | None] = read_memory,
        resident: Callable[[int], int | None] = resident_bytes,
    ) -> None:
        self._limits, self._slots, self._drain = limits, slots, drain
        self._read, self._resident = read, resident
        self._ended_at = self._highest_since = float("-inf")

    async def run(self) -> None:
        """Watch until cancelled."""
        while True:
            await self.look()
            await trio.sleep(LOOK_S)

    async def look(self) -> None:
        """Look once, and do what the tiers ask for."""
        reading, now = self._read(), trio.current_time()
        if reading is None:
            return
        before, tier = self._limits.memory_tier, memory_tier(self._limits.memory_tier, reading.share)
        self._limits.memory, self._limits.memory_tier = reading, tier
        if tier != before:
            _log.info("memory", tier=tier, used=f"{reading.share:.0%}", follows=MEMORY_WORDS[tier] or "as usual")
        self._weigh_children(reading.limit_bytes // (len(self._slots) + 1))
        if tier < 4 or before < 4:
            self._highest_since = now
        await self._make_room(tier, now)

    def _weigh_children(self, share_bytes: int) -> None:
        for slot in self._slots:
            held = None if slot.pid is None else self._resident(slot.pid)
            slot.memory_bytes = held
            slot.memory_tier = 0 if held is None else memory_tier(slot.memory_tier, held / max(1, share_bytes))
            slot.is_short_of_memory = slot.memory_tier >= 1 or self._limits.memory_tier >= 1

    async def _make_room(self, tier: int, now: float) -> None:
        for slot in self._slots:
            if tier >= 2 and slot.work is None and slot.pid is not None:
                await slot.end_process("memory is scarce, and it does nothing")
        swollen = [slot for slot in self._busy() if tier >= 1 and slot.memory_tier >= 3]
        youngest = self._busy()[-1:] if tier >= 3 and now - self._ended_at >= SETTLE_S else []
        for slot in swollen or youngest:
            self._ended_at = now
            held = "?" if slot.memory_bytes is None else f"{slot.memory_bytes >> 20} MiB"
            _log.warning("job ended to make room in memory", slot=slot.slot.number, held=held)
            await slot.end_process(f"memory is scarce: its process held {held}")
        if tier >= 4 and now - self._highest_since >= SETTLE_S and not self._drain.has_begun:
            _log.warning("memory is used up, and not by jobs of this node that could be ended")
            self._drain.begin()

    def _busy(self) -> list[SlotState]:
        """Return the slots at work, the one that began last at the end."""
        at_work = [(slot.work.since, slot.slot.number, slot) for slot in self._slots if slot.work is not None]
        return [slot for _, _, slot in sorted(at_work, key=lambda entry: entry[:2]) if slot.pid is not None]
