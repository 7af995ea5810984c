"""How much of the machine this process uses, as far as the system tells that at once."""

import os
import shutil
from pathlib import Path

_STATM = Path("/proc/self/statm")


def free_bytes(folder: Path) -> int | None:
    """Return the free bytes of the file system on which a folder is; None if that cannot be told."""
    try:
        return shutil.disk_usage(folder).free
    except OSError:
        return None


def memory_bytes() -> int | None:
    """Return how much memory this process holds, in bytes; None if that cannot be told."""
    try:
        return int(_STATM.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        return None
