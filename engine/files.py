"""Files that somebody names: only regular ones are read, in pieces up to a stated size, and text in any common form.

A path can lead to a device that never ends, to a pipe that nobody writes to, or to a folder. Editors can leave a byte
order mark, other ends of lines, or UTF-16.
"""

from __future__ import annotations

import codecs
import errno
import hashlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

_PIECE_BYTES = 1 << 20
_KINDS = {
    stat.S_IFIFO: "is a pipe, not a file",
    stat.S_IFSOCK: "is a socket, not a file",
    stat.S_IFCHR: "is a device, not a file",
    stat.S_IFBLK: "is a device, not a file",
    stat.S_IFDIR: os.strerror(errno.EISDIR),
}
_ENCODINGS = {  # by the mark with which they begin; that of UTF-32 begins as that of UTF-16 does
    codecs.BOM_UTF32_LE: "UTF-32",
    codecs.BOM_UTF32_BE: "UTF-32",
    codecs.BOM_UTF16_LE: "UTF-16",
    codecs.BOM_UTF16_BE: "UTF-16",
}


def open_regular(path: Path) -> BinaryIO:
    """Open a regular file to read bytes, without ever waiting for somebody at its other end.

    Raise OSError if there is none or it is something else.
    """
    _require_regular(path, os.stat(path))  # before it is opened: that alone can do something to a device
    file = os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb")
    try:
        _require_regular(path, os.fstat(file.fileno()))
    except OSError:
        file.close()
        raise
    return file


def read_regular(path: Path, max_bytes: int) -> bytes:
    """Return the bytes of a regular file. Raise OSError if it cannot be read or has more than `max_bytes`."""
    return b"".join(read_pieces(path, max_bytes))


def digest_regular(path: Path, max_bytes: int) -> bytes:
    """Return the SHA-256 of a regular file. Raise OSError if it cannot be read or has more than `max_bytes`."""
    hasher = hashlib.sha256()
    for piece in read_pieces(path, max_bytes):
        hasher.update(piece)
    return hasher.digest()


def read_pieces(path: Path, max_bytes: int) -> Iterator[bytes]:
    """Yield the bytes of a regular file. Raise OSError if it cannot be read or has more than `max_bytes`."""
    with open_regular(path) as file:
        left = max_bytes
        if os.fstat(file.fileno()).st_size > left:
            raise _too_large(path, max_bytes)
        while piece := file.read(_PIECE_BYTES):
            left -= len(piece)
            if left < 0:
                raise _too_large(path, max_bytes)
            yield piece


def _too_large(path: Path, max_bytes: int) -> OSError:
    return OSError(errno.EFBIG, f"above the limit of {max_bytes:,} bytes", str(path))


def _require_regular(path: Path, status: os.stat_result) -> None:
    kind = stat.S_IFMT(status.st_mode)
    if kind != stat.S_IFREG:
        number = errno.EISDIR if kind == stat.S_IFDIR else errno.EINVAL
        raise OSError(number, _KINDS.get(kind, "is not a file"), str(path))


def decode_text(data: bytes) -> str:
    r"""Return the text in `data`, which is UTF-8, with or without a byte order mark; each line ends with \n.

    Raise ValueError, which says what else the data is.
    """
    for mark, name in _ENCODINGS.items():
        if data.startswith(mark):
            raise ValueError(f"this is {name}, not UTF-8")
    if (zero := data.find(b"\0")) >= 0:
        raise ValueError(f"byte {zero} is zero, as in UTF-16 without a byte order mark or in a file that is not text")
    try:
        text = data.removeprefix(codecs.BOM_UTF8).decode()
    except UnicodeDecodeError as error:
        marked = len(codecs.BOM_UTF8) if data.startswith(codecs.BOM_UTF8) else 0
        raise ValueError(f"byte {marked + error.start} is not UTF-8") from None
    return text.replace("\r\n", "\n").replace("\r", "\n")


def read_text(path: Path, max_bytes: int) -> str:
    """Return the text in a regular file. Raise OSError as `read_regular` does, ValueError as `decode_text` does."""
    return decode_text(read_regular(path, max_bytes))
