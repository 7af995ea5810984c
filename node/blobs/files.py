"""Blobs as files, written under another name, synced, then renamed: a name stands for its content or for nothing."""

import errno
import hashlib
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TypeVar, TypeVarTuple

import structlog
import trio

from engine.files import digest_regular, open_regular, read_pieces
from node.blobs import MAX_BLOB_BYTES, BlobError
from node.system.files import clear_place, sync_directory

_PARTIAL = "partial"
_NAME = re.compile("[0-9a-f]{64}")
# A sector that cannot be read, a file system that finds its own sums wrong, and what is not a file of ours at all, or
# where a folder of ours should be. Other errors pass, such as too many open files.
_DAMAGED = (
    *(errno.EIO, errno.EUCLEAN, errno.EBADMSG),
    *(errno.EFBIG, errno.EINVAL, errno.EISDIR, errno.ENOTDIR, errno.ELOOP),
)

_log = structlog.get_logger(__name__)

_T = TypeVar("_T")
_Args = TypeVarTuple("_Args")


class FileBlobs:
    """`Blobs` in a directory: ab/abcdef.. for whole ones, partial/abcdef../number for pieces."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._partial = directory / _PARTIAL
        self._partial.mkdir(parents=True, exist_ok=True)
        self.damaged = 0  # blobs that were found damaged, and dropped
        self.lost: set[bytes] = set()  # those that have not come back
        for leftover in self._partial.iterdir():
            if leftover.is_file():  # of a write cut off by a crash; pieces are in directories
                leftover.unlink()

    def path(self, digest: bytes) -> Path:
        """Return the path at which the whole blob is, or would be."""
        name = digest.hex()
        return self._directory / name[:2] / name

    def size(self, digest: bytes) -> int | None:
        """See `Blobs.size`."""
        try:
            return self.path(digest).stat().st_size
        except FileNotFoundError:
            return None
        except OSError:  # something is there, and `verify` finds out what
            return 0

    async def read(self, digest: bytes, offset: int, length: int) -> bytes:
        """See `Blobs.read`."""
        return await self._run(self._read, digest, offset, length)

    async def verify(self, digest: bytes) -> bool:
        """See `Blobs.verify`."""
        return await self._run(self._verify, digest)

    async def add(self, data: bytes) -> bytes:
        """See `Blobs.add`."""
        return await self._run(self._write, [data])

    async def add_file(self, source: Path) -> bytes:
        """Store a copy of the file and return its digest. Raise BlobError."""
        return await self._run(lambda: self._write(_chunks([source])))

    async def remove(self, digest: bytes) -> None:
        """See `Blobs.remove`."""
        await self._run(self._remove, digest)

    async def digests(self) -> frozenset[bytes]:
        """Return the digests of all blobs that are here, whole or in pieces. Raise BlobError."""
        return await self._run(self._digests)

    async def pieces(self, digest: bytes) -> frozenset[int]:
        """See `Blobs.pieces`."""
        try:
            return frozenset(int(name) for name in os.listdir(self._pieces(digest)) if name.isdecimal())
        except FileNotFoundError:
            return frozenset()

    async def add_piece(self, digest: bytes, number: int, data: bytes) -> None:
        """See `Blobs.add_piece`."""
        await self._run(self._write_piece, digest, number, data)

    async def assemble(self, digest: bytes, count: int) -> bool:
        """See `Blobs.assemble`."""
        return await self._run(self._assemble, digest, count)

    async def _run(self, work: Callable[[*_Args], _T], *args: *_Args) -> _T:
        try:
            return await trio.to_thread.run_sync(work, *args)
        except OSError as error:
            raise BlobError(f"{error.filename or self._directory}: {error.strerror or error}") from None

    def _pieces(self, digest: bytes) -> Path:
        return self._partial / digest.hex()

    def _read(self, digest: bytes, offset: int, length: int) -> bytes:
        try:
            with open_regular(self.path(digest)) as file:
                file.seek(offset)
                return file.read(length)
        except FileNotFoundError:
            raise BlobError(f"blob {digest.hex()} is not here") from None

    def _verify(self, digest: bytes) -> bool:
        path = self.path(digest)
        try:
            if digest_regular(path, MAX_BLOB_BYTES) == digest:
                return True
            reason = "its SHA-256 is another"
        except FileNotFoundError:
            return False
        except OSError as error:
            if error.errno not in _DAMAGED:
                raise
            reason = error.strerror or str(error)
        self.damaged += 1
        self.lost.add(digest)
        _log.warning("damaged blob dropped", blob=digest.hex(), reason=reason)
        clear_place(path if path.parent.is_dir() else path.parent)
        return False

    def _remove(self, digest: bytes) -> None:
        self.path(digest).unlink(missing_ok=True)
        shutil.rmtree(self._pieces(digest), ignore_errors=True)

    def _digests(self) -> frozenset[bytes]:
        names = (name for _, folders, files in os.walk(self._directory) for name in (*folders, *files))
        return frozenset(bytes.fromhex(name) for name in names if _NAME.fullmatch(name))

    def _write_piece(self, digest: bytes, number: int, data: bytes) -> None:
        directory = self._pieces(digest)
        directory.mkdir(parents=True, exist_ok=True)
        # Renamed, so that a piece is whole. Not synced: all pieces are verified before they are used.
        temporary = directory / f".{number}"
        temporary.write_bytes(data)
        os.replace(temporary, directory / str(number))

    def _assemble(self, digest: bytes, count: int) -> bool:
        directory = self._pieces(digest)
        sources = [directory / str(number) for number in range(count)]
        try:
            return self._write(_chunks(sources), wanted=digest) == digest
        finally:
            shutil.rmtree(directory, ignore_errors=True)

    def _write(self, chunks: Iterable[bytes], wanted: bytes | None = None) -> bytes:
        """Write a blob unless its digest is not the wanted one. Return its digest."""
        self._partial.mkdir(parents=True, exist_ok=True)  # somebody may have cleaned up
        descriptor, temporary = tempfile.mkstemp(dir=self._partial, prefix=".")
        try:
            hasher = hashlib.sha256()
            with open(descriptor, "wb") as file:
                for chunk in chunks:
                    hasher.update(chunk)
                    file.write(chunk)
                file.flush()
                os.fchmod(descriptor, 0o444)
                os.fsync(descriptor)
            digest = hasher.digest()
            if wanted in (None, digest):
                self._publish(Path(temporary), self.path(digest))
        finally:
            Path(temporary).unlink(missing_ok=True)
        return digest

    def _publish(self, temporary: Path, path: Path) -> None:
        if not path.parent.is_dir():
            clear_place(path.parent)
            path.parent.mkdir(exist_ok=True)
            sync_directory(self._directory)
        if path.is_dir():
            clear_place(path)
        os.replace(temporary, path)
        sync_directory(path.parent)
        self.lost.discard(bytes.fromhex(path.name))


def _chunks(paths: Iterable[Path]) -> Iterator[bytes]:
    for path in paths:
        yield from read_pieces(path, MAX_BLOB_BYTES)
