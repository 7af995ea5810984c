"""The lock that keeps a second process off a node's data."""

import fcntl
import os
from pathlib import Path

from node.store import StoreError


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
    except OSError:
        os.close(descriptor)
        raise StoreError(f"{path.parent}: in use by another running node; stop that one first") from None
    return descriptor
