"""The lock that keeps a second process off a node's data, and a mark that shows a copy of them."""

import contextlib
import fcntl
import os
from pathlib import Path

from node.store import StoreError

_BOOT = Path("/proc/sys/kernel/random/boot_id")
_MAX_MARK_BYTES = 200


def lock_directory(path: Path) -> int:
    """Take the directory for this process and return a descriptor to close: two nodes with one key would equivocate.

    Raise StoreError.
    """
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise StoreError(f"{path.parent}: cannot be used as a data directory: {error.strerror}") from None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise StoreError(f"{path.parent}: in use by another running node; stop that one first") from None
    except OSError as error:
        os.close(descriptor)
        remedy = "choose another with --data DIR, on a file system with locks"
        raise StoreError(f"{path.parent}: cannot be locked ({error.strerror}); {remedy}") from None
    return descriptor


def mark_place(descriptor: int) -> bool:
    """Write into the lock file where it is, and return whether it was elsewhere before: then the folder is a copy.

    The place is this boot of the machine, and the file's number on its disk. So a copied, moved or restored folder is
    noticed, and a copied machine; after a restart of the machine nobody can tell.
    """
    mark = _place(descriptor)
    with contextlib.suppress(OSError):
        before = os.pread(descriptor, _MAX_MARK_BYTES, 0)
        if before != mark:
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, mark, 0)
        return before not in (b"", mark)
    return False  # a full disk; the store will say so


def _place(descriptor: int) -> bytes:
    status = os.fstat(descriptor)
    try:
        boot = _BOOT.read_text().strip()
    except OSError:
        boot = "unknown"
    return f"{boot} {status.st_dev} {status.st_ino}\n".encode()
