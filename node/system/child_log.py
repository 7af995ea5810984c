"""What child processes write to their standard error, kept in a file of bounded size."""

import contextlib
import os
import threading
from pathlib import Path

_MAX_BYTES = 2 * 1024 * 1024
_AT_ONCE_BYTES = 64 * 1024
_APPEND = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NONBLOCK  # a pipe may lie there


class ChildLog:
    """A file for the standard error of children. At its limit it becomes NAME.1, and a new one begins.

    The children write into a pipe that a thread of ours empties. So neither a full disk nor a missing folder reaches
    them, and no child, however much it writes, fills the disk. What cannot be kept is lost.
    """

    def __init__(self, path: Path, max_bytes: int = _MAX_BYTES) -> None:
        self._path = path
        self._max_bytes = max_bytes

    def open_pipe(self) -> int:
        """Return a descriptor for a child to write to, which the caller closes after the start. Raise OSError."""
        reading, writing = os.pipe()
        try:
            threading.Thread(target=self._copy, args=(reading,), daemon=True).start()
        except BaseException:
            os.close(reading)
            os.close(writing)
            raise
        return writing

    def _copy(self, reading: int) -> None:
        """Append what comes until every process that could write has ended."""
        with open(reading, "rb", buffering=0) as pipe:
            while data := pipe.read(_AT_ONCE_BYTES):
                with contextlib.suppress(OSError):
                    self._append(data)

    def _append(self, data: bytes) -> None:
        with contextlib.suppress(FileNotFoundError):
            if self._path.stat().st_size + len(data) > self._max_bytes:
                os.replace(self._path, self._path.with_name(f"{self._path.name}.1"))
        with open(os.open(self._path, _APPEND, 0o666), "ab", buffering=0) as file:
            file.write(data)
