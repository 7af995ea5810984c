"""Files that survive a power failure, whole or not there at all; and places that are made free for them."""

import os
import shutil
import tempfile
from pathlib import Path


def sync_directory(path: Path) -> None:
    """Make new names and renames in a directory durable."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def clear_place(path: Path) -> None:
    """Remove what is at a path, if anything: a file, a link but not what it leads to, or a folder with its contents."""
    try:
        path.unlink(missing_ok=True)
    except IsADirectoryError:
        shutil.rmtree(path)


def write_atomically(path: Path, data: bytes) -> None:
    """Write `data` to `path`. After a crash the file is there whole, or as it was before."""
    descriptor, temporary = tempfile.mkstemp(prefix=".", suffix=".part", dir=path.parent)
    try:
        with open(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(descriptor)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise
    sync_directory(path.parent)
