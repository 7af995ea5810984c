"""The folder of compiled kernels: where it lies, and that what is damaged in it is compiled again, not loaded.

A file counts if its SHA-256 stands beside it, in a file that is written after the kernels of the module were loaded. So
neither what a power failure left empty nor a bit that has flipped is run, and whoever cannot write the digest has lost
nothing but time.
"""

from __future__ import annotations

import atexit
import contextlib
import fcntl
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from functools import cache
from importlib import metadata
from pathlib import Path

from engine.files import digest_regular, read_regular

SETTING = "RINGRIFT_KERNEL_CACHE"

_COMPILED = (".o", ".cubin", ".ptx", ".meta")
_DIGEST = ".sha256"
_DIGEST_BYTES = 64  # in hex
_MAX_BYTES = 1 << 30  # of a compiled file; ours have some megabytes
_PROBE_BYTES = 1 << 20  # about as much as a module takes

_fallbacks: list[Path] = []


def cache_directory() -> Path:
    """Return the folder of compiled kernels: RINGRIFT_KERNEL_CACHE, or one in the user's cache.

    Raise RuntimeError if nothing says where the user's home is.
    """
    named = os.environ.get(SETTING)
    if named:
        return Path(named).expanduser()  # ~ reaches us as it is from a service's file
    base = os.environ.get("XDG_CACHE_HOME", "")
    if not os.path.isabs(base):  # its specification says that it does not count then
        base = "~/.cache"
    return Path(base).expanduser() / "ringrift" / "kernels"


def name_cache_for_children() -> None:
    """Write the whole name of the folder that is named into the environment, for children that start elsewhere."""
    if named := os.environ.get(SETTING):
        with contextlib.suppress(OSError):  # the working directory was deleted
            os.environ[SETTING] = os.path.abspath(os.path.expanduser(named))


def add_fallback(directory: Path) -> None:
    """Name a folder for compiled kernels that is used if `cache_directory` cannot be written."""
    _fallbacks.append(directory)


@cache
def open_cache() -> Path:
    """Return the folder that this process uses, once and for all; it exists and can be written.

    If neither the usual folder nor a fallback can be, it is a temporary one, which goes with the process. Then, and if
    it is a fallback, a line on stderr says so. Raise OSError if not even that can be made.
    """
    try:
        usual = cache_directory()
        trouble = trouble_with(usual)
    except RuntimeError as error:
        usual, trouble = Path("~/.cache"), str(error)
    if not trouble:
        return usual
    found = next((folder for folder in _fallbacks if not trouble_with(folder)), None)
    if found is None:
        found = Path(tempfile.mkdtemp(prefix="ringrift-kernels-"))  # for this user alone: what lies in it is run
        atexit.register(shutil.rmtree, found, ignore_errors=True)
    remedy = f"{SETTING} can name another folder"
    with contextlib.suppress(OSError, ValueError, AttributeError):  # stderr may be full, closed or None
        print(f"{usual}: compiled kernels cannot be kept there ({trouble}), but in {found}; {remedy}", file=sys.stderr)
    return found


def trouble_with(directory: Path) -> str:
    """Return why a folder, which is made if it is missing, cannot be written; "" if it can."""
    used = directory
    with contextlib.suppress(metadata.PackageNotFoundError):
        used = directory / metadata.version("warp-lang")  # Warp puts everything there
    try:
        used.mkdir(parents=True, exist_ok=True)
        for folder in (directory, used):
            with tempfile.TemporaryFile(dir=folder) as file:
                file.write(bytes(_PROBE_BYTES))
    except OSError as error:
        return error.strerror or str(error)
    return ""


@contextlib.contextmanager
def one_process_at_a_time(module: str) -> Iterator[None]:
    """Hold the cache's lock for a module, so that only one of several processes that start together compiles."""
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(OSError):  # no locks here, or it is another user's: then they compile side by side
            lock = stack.enter_context(open(open_cache() / f"lock-{module}", "ab"))
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def drop_damaged(entry: Path) -> bool:
    """Delete what is not as it was sealed from the folder of one module. Return whether anything is left to load.

    What cannot be deleted is moved away with the whole folder. Raise OSError if not even that is possible.
    """
    if not entry.is_dir() and os.path.lexists(entry):
        _move_away(entry)
    for path in _compiled(entry):
        if not _is_sealed(path) and not (_deleted(path) and _deleted(_digest_file(path))):
            _move_away(entry)
            return False
    return bool(_compiled(entry))


def _is_sealed(path: Path) -> bool:
    try:
        return read_regular(_digest_file(path), _DIGEST_BYTES).decode() == _digest(path)
    except (OSError, ValueError):
        return False


def _move_away(entry: Path) -> None:
    """Give what stands in the place of a module's folder another name, which nothing has yet."""
    entry.rename(entry.with_name(f"{entry.name}.dropped-{os.urandom(8).hex()}"))


def _deleted(path: Path) -> bool:
    """Delete a file; return whether that was possible: not in the folder of another user, nor if it is a folder."""
    try:
        path.unlink(missing_ok=True)
    except OSError:
        return False
    return True


def seal(entry: Path) -> None:
    """Write the digests of the compiled files in the folder of one module, if there is room for them."""
    for path in _compiled(entry):
        target = _digest_file(path)
        with contextlib.suppress(OSError):
            if not _is_sealed(path):
                temporary = target.with_suffix(f".{os.getpid()}.partial")
                temporary.write_text(_digest(path))
                os.replace(temporary, target)


def _compiled(entry: Path) -> list[Path]:
    return [path for path in entry.glob("*") if path.suffix in _COMPILED]


def _digest_file(path: Path) -> Path:
    return path.with_name(path.name + _DIGEST)


def _digest(path: Path) -> str:
    """Return the SHA-256 of a compiled file in hex. Raise OSError if it is not a file, or is larger than any is."""
    return digest_regular(path, _MAX_BYTES).hex()
