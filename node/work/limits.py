"""What keeps a node from work for want of memory or disk: tiers, and what each of them means."""

from collections.abc import Sequence
from dataclasses import dataclass

from node.system.memory import MemoryReading

MEMORY_TIERS = 0.60, 0.70, 0.80, 0.90
"""Parts of the memory that are used where a tier begins: fewer games at once; no new claims; a job is ended; drain."""

_SPAN = 0.05
"""A tier of memory ends so far below where it began: what comes and goes must not turn work on and off."""

GIGABYTE = 1 << 30
DISK_TIERS = (0.10, 4 * GIGABYTE), (0.05, GIGABYTE)
"""Where a tier of the disk begins: less is free than that part of it and than so many bytes. Tidy up; no new claims."""

_DISK_SPAN = 1.25
"""A tier of the disk ends where so many times as much is free."""

FEW_GAMES = 64
"""Games of a job at once, where memory is scarce: a quarter of the usual."""

MEMORY_WORDS = (
    "",
    f"new jobs play at most {FEW_GAMES} games at once",
    "nothing new is claimed",
    "the youngest job is ended",
    "the node is drained",
)
SLOT_WORDS = (
    "",
    MEMORY_WORDS[1],
    "the next claim begins with a new process",
    "the process is ended if memory gets scarce on the machine",
    "the process is ended if memory gets scarce on the machine",
)
"""What follows for a slot whose process holds more than these parts of its share."""

DISK_WORDS = "", "what is not needed is deleted", "nothing new is claimed"


def memory_tier(before: int, used: float, tiers: Sequence[float] = MEMORY_TIERS) -> int:
    """Return the tier of memory, 0 to 4, from the part that is used and the tier before."""
    begun = sum(used >= tier for tier in tiers)
    not_ended = sum(used >= tier - _SPAN for tier in tiers)
    return max(begun, min(before, not_ended))


def disk_tier(before: int, free_bytes: int, total_bytes: int) -> int:
    """Return the tier of the disk, 0 to 2, from what is free and the tier before."""
    bounds = [min(part * total_bytes, least) for part, least in DISK_TIERS]
    begun = sum(free_bytes < bound for bound in bounds)
    not_ended = sum(free_bytes < bound * _DISK_SPAN for bound in bounds)
    return max(begun, min(before, not_ended))


@dataclass(frozen=True)
class DiskReading:
    """How many bytes are free, of how many."""

    free_bytes: int
    total_bytes: int


class WorkLimits:
    """The tiers of one node as they are now, which those look at who claim and play."""

    def __init__(self) -> None:
        self.memory_tier = self.disk_tier = 0
        self.memory: MemoryReading | None = None
        self.disk: DiskReading | None = None

    @property
    def may_claim(self) -> bool:
        """Whether there is room for new work."""
        return self.memory_tier < 2 and self.disk_tier < 2

    @property
    def room_gib(self) -> int | None:
        """Free GiB for what this node holds for others, 0 where the disk is scarce; None while that is not known."""
        if self.disk is None:
            return None
        return 0 if self.disk_tier else self.disk.free_bytes // GIGABYTE

    @property
    def reasons(self) -> list[str]:
        """What is scarce, and what follows from it, in words."""
        found = []
        if self.memory_tier and self.memory is not None:
            used = f"{self.memory.share:.0%} of {self.memory.limit_bytes / GIGABYTE:.1f} GiB of memory are used"
            found.append(f"{used}, tier {self.memory_tier} of {len(MEMORY_TIERS)}: {MEMORY_WORDS[self.memory_tier]}")
        if self.disk_tier and self.disk is not None:
            free = f"{self.disk.free_bytes / GIGABYTE:.2f} of {self.disk.total_bytes / GIGABYTE:.2f} GiB of disk"
            found.append(f"{free} are free, tier {self.disk_tier} of {len(DISK_TIERS)}: {DISK_WORDS[self.disk_tier]}")
        return found
