"""Checks of the machine: its clock, disk, ports and limits."""

import contextlib
import os
import resource
import shutil
import socket
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from node.config.address import Address, bind_error
from node.preflight.finding import Finding, fault, ok, warning
from node.system.clock import is_credible

_GIGABYTE = 10**9
_ENOUGH_BYTES = 5 * _GIGABYTE
_LEAST_BYTES = _GIGABYTE // 2
_ENOUGH_FILES = 1024


def check_clock() -> Iterator[Finding]:
    """Yield whether the clock can be right; only other members can tell by how much it is wrong."""
    if not is_credible(time.time_ns()):
        yield fault("clock", "shows a time in which no event can be made; set the clock of this machine")
        return
    yield ok("clock", f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC")


def check_disk(data: Path) -> Iterator[Finding]:
    """Yield whether the data folder, or the nearest folder above it that exists, can be written and has room."""
    place = next(folder for folder in (data, *data.absolute().parents) if folder.exists())
    try:
        with tempfile.TemporaryFile(dir=place) as file:
            file.write(b"\0")
        free = shutil.disk_usage(place).free
    except OSError as error:
        yield fault("disk", f"{place}: cannot be written ({error.strerror}); choose another folder with --data DIR")
        return
    text = f"{data}: {free / _GIGABYTE:.1f} GB free"
    if free < _LEAST_BYTES:
        yield fault("disk", f"{text}; make room, or choose another folder with --data DIR")
    elif free < _ENOUGH_BYTES:
        yield warning("disk", f"{text}; events, games and models of some days need {_ENOUGH_BYTES / _GIGABYTE:.0f}")
    else:
        yield ok("disk", text)


def check_port(purpose: str, option: str, address: Address) -> Iterator[Finding]:
    """Yield whether the node can listen at an address, which `option` names."""
    if error := listen_failure(address):
        remedy = f"choose another with {option} HOST:PORT"
        yield fault("port", str(bind_error(f"{option} {address}", address, error, remedy)))
    else:
        yield ok("port", f"{address} is free, for {purpose}")


def listen_failure(address: Address) -> OSError | None:
    """Return why nobody could listen at an address now; None if one could."""
    try:
        family, kind, protocol, _, place = socket.getaddrinfo(
            address.host, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        with contextlib.closing(socket.socket(family, kind, protocol)) as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(place)
    except OSError as error:
        return error
    return None


def is_of_this_machine(address: Address) -> bool:
    """Return whether the host of an address is one of this machine's, whatever is at the port."""
    return listen_failure(Address(address.host, 0)) is None


def check_limits() -> Iterator[Finding]:
    """Yield how much of the machine the node may use."""
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    cores, memory = len(os.sched_getaffinity(0)), os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    text = f"{cores} cores, {memory / _GIGABYTE:.1f} GB of memory, {files} open files"
    if 0 <= files < _ENOUGH_FILES:
        yield warning("limits", f"{text}; allow {_ENOUGH_FILES} open files or more (ulimit -n)")
    else:
        yield ok("limits", text)
