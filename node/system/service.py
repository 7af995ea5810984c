"""Tells the service manager (systemd) that the node is ready, lives and stops; does nothing where there is none."""

import os
import socket
from collections.abc import Callable
from contextlib import suppress

import trio

_STATUS_S = 30.0  # between two words of status, where no watchdog waits for them


def notify(*states: str) -> None:
    """Send states such as "READY=1" to the socket that NOTIFY_SOCKET names; see sd_notify(3)."""
    name = os.environ.get("NOTIFY_SOCKET", "")
    if not name:
        return
    address = f"\0{name[1:]}" if name.startswith("@") else name
    with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        sender.setblocking(False)  # a manager that does not read must not hold up the node
        sender.sendto("\n".join(states).encode(), address)


async def keep_notified(status: Callable[[], str]) -> None:
    """Say that the node is ready, then that it lives and how it is, until cancelled; then that it stops.

    `status` returns one line.
    """
    every_s = watchdog_s() / 2 or _STATUS_S
    try:
        notify("READY=1", f"STATUS={status()}")
        while True:
            await trio.sleep(every_s)
            notify("WATCHDOG=1", f"STATUS={status()}")
    finally:
        notify("STOPPING=1")


def watchdog_s() -> float:
    """Return within how many seconds the manager wants to hear of this process; 0 if it does not wait for that."""
    wanted, process = os.environ.get("WATCHDOG_USEC", ""), os.environ.get("WATCHDOG_PID", "")
    if not wanted.isdecimal() or process not in ("", str(os.getpid())):
        return 0.0
    return int(wanted) / 1e6
