"""System calls that fail for this process from now on, as a broken or full disk makes them fail (Linux)."""

import ctypes
import errno
import platform
import resource
import signal
import sys
from pathlib import Path

# Linux, by machine: seccomp, fsync, fdatasync.
_CALLS = {"x86_64": (317, 74, 75), "aarch64": (277, 82, 83)}.get(platform.machine())

POSSIBLE = sys.platform == "linux" and _CALLS is not None

_NO_NEW_PRIVS, _SET_FILTER, _ALL_THREADS = 38, 1, 1
_LOAD, _JUMP_IF_EQUAL, _RETURN = 0x20, 0x15, 0x06
_ALLOW, _FAIL = 0x7FFF0000, 0x00050000


class _Instruction(ctypes.Structure):
    _fields_ = (("code", ctypes.c_ushort), ("true", ctypes.c_ubyte), ("false", ctypes.c_ubyte), ("k", ctypes.c_uint32))


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.POINTER(_Instruction)))


def fail_syncs() -> None:
    """fsync and fdatasync return EIO, in all threads; this cannot be taken back. OSError if not allowed."""
    assert _CALLS is not None
    seccomp, *syncs = _CALLS
    jumps = [_Instruction(_JUMP_IF_EQUAL, len(syncs) - place, 0, call) for place, call in enumerate(syncs)]
    code = [
        _Instruction(_LOAD, 0, 0, 0),
        *jumps,
        _Instruction(_RETURN, 0, 0, _ALLOW),
        _Instruction(_RETURN, 0, 0, _FAIL | errno.EIO),
    ]
    program = _Program(len(code), (_Instruction * len(code))(*code))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_NO_NEW_PRIVS, 1, 0, 0, 0) or libc.syscall(seccomp, _SET_FILTER, _ALL_THREADS, ctypes.byref(program)):
        raise OSError(ctypes.get_errno(), "no system-call filter can be set here")


def fill_disk(most: int | None) -> None:
    """No file of this process can grow beyond `most` bytes, as on a full disk; None: the disk has room again."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (hard if most is None else most, hard))


def size(path: Path) -> int:
    """In bytes; 0 if there is no such file."""
    return path.stat().st_size if path.exists() else 0
