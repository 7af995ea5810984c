"""What systemd hears of a node: READY, then WATCHDOG in time, then STOPPING; read from a real datagram socket."""

import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from node.system.service import keep_notified, notify, watchdog_s

Heard = Callable[[], list[str]]


@pytest.fixture(params=["a path", "an abstract name"])
def heard(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Heard]:
    """What came at the socket of a service manager since the last look."""
    name = str(tmp_path / "notify") if request.param == "a path" else f"@ringrift-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(f"\0{name[1:]}" if name.startswith("@") else name)
        manager.setblocking(False)
        monkeypatch.setenv("NOTIFY_SOCKET", name)

        def look() -> list[str]:
            found = []
            while True:
                try:
                    found.append(manager.recv(4096).decode())
                except BlockingIOError:
                    return found

        yield look


async def test_a_node_says_that_it_is_ready_lives_and_stops(
    heard: Heard, monkeypatch: pytest.MonkeyPatch, autojump_clock: MockClock
) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", "20000000")
    monkeypatch.setenv("WATCHDOG_PID", str(os.getpid()))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(keep_notified, lambda: "level")
        await trio.sleep(1)
        assert heard() == ["READY=1\nSTATUS=level"]
        await trio.sleep(20)
        assert heard() == ["WATCHDOG=1\nSTATUS=level"] * 2, "twice in the time that the manager waits"
        nursery.cancel_scope.cancel()
    assert heard() == ["STOPPING=1"]


@pytest.mark.parametrize(
    ("usec", "pid", "expected"), [("", "", 0), ("x", "", 0), ("5000000", "1", 0), ("5000000", "", 5)]
)
def test_the_watchdog_is_that_of_this_process(
    usec: str, pid: str, expected: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", usec)
    monkeypatch.setenv("WATCHDOG_PID", pid)
    assert watchdog_s() == expected


def test_nobody_listening_is_no_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    notify("READY=1")
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "gone"))
    notify("READY=1")
