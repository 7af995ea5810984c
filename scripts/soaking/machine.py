"""What the machine says of a node: the memory of its processes, the size of its folder, the lines of its log."""

from __future__ import annotations

import json
import os
import sqlite3
from collections import Counter
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_NICEST = 19
_SESSION, _STATE, _RSS_PAGES = 3, 0, 21  # places after the name in /proc/PID/stat

ODD_LEVELS = ("warning", "error", "critical")


class Memory(NamedTuple):
    """Resident memory of a node and of its workers and other children."""

    node_bytes: int
    workers_bytes: int
    processes: int


def memory_of(session: int) -> Memory:
    """Return the memory of the processes that belong to a session; its leader is the node."""
    sizes = {pid: size for pid, (leader, size) in _processes().items() if leader == session}
    node = sizes.pop(session, 0)
    return Memory(node, sum(sizes.values()), len(sizes) + (node > 0))


def _processes() -> dict[int, tuple[int, int]]:
    """Return the session and the resident bytes of each process that is not a zombie."""
    found = {}
    for name in os.listdir("/proc"):
        if name.isdecimal():
            with suppress(OSError, IndexError, ValueError):
                fields = Path("/proc", name, "stat").read_text().rpartition(")")[2].split()
                if fields[_STATE] != "Z":
                    found[int(name)] = int(fields[_SESSION]), int(fields[_RSS_PAGES]) * _PAGE_BYTES
    return found


def make_nicer(session: int, niceness: int) -> None:
    """Let a node and its workers be this much nicer than we are, also where the kernel shares time out by sessions."""
    os.setpriority(os.PRIO_PROCESS, session, min(_NICEST, os.getpriority(os.PRIO_PROCESS, 0) + niceness))
    with suppress(OSError, ValueError):  # a kernel that does not
        ours = int(Path("/proc/self/autogroup").read_text().split()[-1])
        Path("/proc", str(session), "autogroup").write_text(str(min(_NICEST, ours + niceness)))


def disk_of(data: Path) -> dict[str, int]:
    """Return the bytes of a node's folder: in all, of the events with the ledgers, of blobs, and of logs."""
    sizes: Counter[str] = Counter(data_bytes=0, events_bytes=0, blobs_bytes=0, log_bytes=0)
    for folder, _, names in os.walk(data):
        for name in names:
            path = Path(folder, name)
            with suppress(OSError):  # deleted meanwhile
                size = path.lstat().st_size
                sizes["data_bytes"] += size
                sizes[_part_of(path.relative_to(data))] += size
    del sizes["other"]
    return dict(sizes)


def _part_of(path: Path) -> str:
    if path.name.startswith("events.sqlite"):
        return "events_bytes"
    if path.suffix == ".log":
        return "log_bytes"
    return "blobs_bytes" if path.parts[0] == "blobs" else "other"


def ledger_bytes_of(data: Path) -> int | None:
    """Return the size of the newest ledger that a node has stored; None before its first epoch has closed."""
    with suppress(sqlite3.Error), closing(sqlite3.connect(f"file:{data / 'events.sqlite'}?mode=ro", uri=True)) as file:
        row = file.execute("SELECT length(snapshot) FROM turns ORDER BY number DESC LIMIT 1").fetchone()
        return None if row is None else int(row[0])
    return None


@dataclass
class LogReader:
    """Reads what a node adds to its log, and counts the lines by level and title."""

    path: Path
    lines: Counter[tuple[str, str]] = field(default_factory=Counter)
    odd: list[str] = field(default_factory=list)
    """New lines that are warnings or worse, or not of our log at all; who reads them empties the list."""
    _position: int = 0

    def read_on(self) -> None:
        """Read the whole lines that were added since the last call."""
        try:
            with self.path.open("rb") as file:
                file.seek(self._position)
                whole, _, _ = file.read().rpartition(b"\n")
        except FileNotFoundError:
            return
        if not whole:
            return
        self._position += len(whole) + 1
        for line in whole.decode(errors="replace").split("\n"):
            self._count(line)

    def _count(self, line: str) -> None:
        try:
            entry = json.loads(line)
            level, title = str(entry["level"]), str(entry["event"])
        except (ValueError, KeyError, TypeError):
            level, title = "critical", "a line of no log"
        self.lines[level, title] += 1
        if level in ODD_LEVELS:
            self.odd.append(line)
