"""How much memory is used of what may be used: on this machine and in its control groups, and by single processes."""

import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_ROOT = Path("/")
_CACHED = ("inactive_file", "active_file", "total_inactive_file", "total_active_file")
"""Of a group, in version 2 and 1: what files have left in memory, which the kernel takes back when it needs room."""


@dataclass(frozen=True)
class MemoryReading:
    """How many bytes are used, of how many that may be."""

    used_bytes: int
    limit_bytes: int

    @property
    def share(self) -> float:
        """The part that is used, 0 or more."""
        return max(0, self.used_bytes) / max(1, self.limit_bytes)


def read_memory(root: Path = _ROOT) -> MemoryReading | None:
    """Return the reading of the machine or of a control group that this process is in, where least is left in parts.

    None if the system tells nothing. `root` is what stands for /.
    """
    found = [*_machine(root), *_groups(root)]
    return max(found, key=lambda reading: reading.share, default=None)


def resident_bytes(pid: int, root: Path = _ROOT) -> int | None:
    """Return how much memory a process holds; None if that cannot be told, as when it is gone."""
    with suppress(OSError, ValueError, IndexError):
        return int((root / f"proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    return None


def _machine(root: Path) -> Iterator[MemoryReading]:
    with suppress(OSError, ValueError, KeyError):
        table = _table(root / "proc/meminfo")
        total, available = table["MemTotal:"] * 1024, table["MemAvailable:"] * 1024
        yield MemoryReading(total - available, total)


def _groups(root: Path) -> Iterator[MemoryReading]:
    """Yield the readings of the groups that this process is in and that have a limit, in version 2 and 1."""
    mounted = root / "sys/fs/cgroup"
    try:
        lines = (root / "proc/self/cgroup").read_text().splitlines()
    except OSError:
        lines = []
    version_2, version_1 = {mounted}, {mounted / "memory"}
    for line in lines:
        _, _, rest = line.partition(":")
        names, _, path = rest.partition(":")
        if not names:
            version_2 |= _folders(mounted, path)
        elif "memory" in names.split(","):
            version_1 |= _folders(mounted / "memory", path)
    for folder in version_2:
        yield from _group(folder, "memory.max", "memory.current")
    for folder in version_1:
        yield from _group(folder, "memory.limit_in_bytes", "memory.usage_in_bytes")


def _folders(mounted: Path, path: str) -> set[Path]:
    """Return the folders of a group and of those above it."""
    parts = [part for part in path.split("/") if part and part != ".."]
    return {mounted.joinpath(*parts[:count]) for count in range(len(parts) + 1)}


def _group(folder: Path, limit: str, usage: str) -> Iterator[MemoryReading]:
    with suppress(OSError, ValueError):  # not this version; or "max", which is no limit
        limit_bytes, used_bytes = int((folder / limit).read_text()), int((folder / usage).read_text())
        statistics = _table(folder / "memory.stat")
        is_total = "total_inactive_file" in statistics  # version 1 counts groups below it there
        cached = sum(statistics.get(name, 0) for name in _CACHED if name.startswith("total_") == is_total)
        yield MemoryReading(used_bytes - cached, limit_bytes)


def _table(file: Path) -> dict[str, int]:
    return {words[0]: int(words[1]) for line in file.read_text().splitlines() if len(words := line.split()) > 1}
