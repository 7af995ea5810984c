"""Digests of files that jobs use, computed piece by piece, so that the event loop goes on meanwhile."""

from hashlib import sha256
from pathlib import Path

import trio

from engine.files import open_regular

_PIECE_BYTES = 1 << 18


async def digest_file(path: Path) -> bytes:
    """Return the SHA-256 of a file. Raise OSError."""
    hasher = sha256()
    with open_regular(path) as file:
        while piece := file.read(_PIECE_BYTES):
            hasher.update(piece)
            await trio.lowlevel.checkpoint()
    return hasher.digest()
