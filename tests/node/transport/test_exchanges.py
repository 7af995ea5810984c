"""Exchanges: the lines of both ends in their logs join, other versions are answered, and durations are counted."""

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import h11
import pytest
import structlog
import trio

from consensus.keys import id_text
from node.config.identity import Identity
from node.system.logs import configure_logs
from node.transport import Refused, Unreachable
from node.transport.client import HttpTransport
from node.transport.exchanges import TRACE_HEADER, format_trace, parse_trace
from node.transport.memory import MemoryTransport, Network
from node.transport.router import Refusal, Route, Router
from tests.node.conftest import Echo, Loopback
from tests.node.transport.test_hostile_connections import member_connection

Ids = list[Identity]


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """The lines of all nodes of the test, with those for people who look closer."""
    handlers, level = logging.root.handlers[:], logging.root.level
    file = io.StringIO()
    configure_logs(as_json=True, details=True, file=file)
    yield file
    configure_logs(as_json=True)
    structlog.reset_defaults()
    logging.root.handlers[:] = handlers
    logging.root.setLevel(level)


def lines(log: io.StringIO, title: str) -> list[dict[str, Any]]:
    return [line for line in map(json.loads, log.getvalue().splitlines()) if line["event"] == title]


async def refuse(member: bytes, body: bytes) -> bytes:
    raise Refusal(409, "not in that epoch")


@pytest.mark.parametrize("kind", ["http", "memory"])
async def test_each_exchange_has_a_line_at_both_ends_and_they_join(
    kind: str,
    loopback: Loopback,
    identities: Ids,
    members: list[bytes],
    nursery: trio.Nursery,
    echo: Echo,
    log: io.StringIO,
) -> None:
    a, b, c, *_ = identities
    routes = {
        "/echo": Route(handler=echo, max_bytes=100),
        "/no": Route(handler=refuse, max_bytes=9),
    }
    transports: list[HttpTransport | MemoryTransport] = []
    if kind == "http":
        await loopback.serve(a, routes)
        transports += [loopback.transport(b), loopback.transport(c)]
    else:
        network = Network(1)
        await nursery.start(network.serve, a.id, Router(members, routes))
        transports += [network.transport(b.id), network.transport(c.id)]

    async def ask_often(transport: HttpTransport | MemoryTransport) -> None:
        for _ in range(20):
            await transport.ask(a.id, "/echo", b"the same each time", timeout_s=5)
        with pytest.raises(Refused):
            await transport.ask(a.id, "/no", b"", timeout_s=5)

    async with trio.open_nursery() as together:  # so that exchanges of several tasks are under way at a time
        for transport in transports:
            for _ in range(2):
                together.start_soon(ask_often, transport)
    asked, answered = lines(log, "asked"), lines(log, "answered")
    by_trace = {line["trace"]: line for line in answered}
    assert len(asked) == len(answered) == len(by_trace) == 84
    for line in asked:
        other = by_trace.pop(line["trace"])
        assert line["level"] == "debug"
        assert line["peer"] == id_text(a.id)
        assert other["peer"] in (id_text(b.id), id_text(c.id))
        assert (line["path"], line["outcome"]) == (other["path"], other["outcome"])
        assert line["sent_bytes"] == other["received_bytes"]
        assert line["received_bytes"] == other["sent_bytes"] == (50 if line["path"] == "/echo" else 0)
        assert 0 <= other["took_s"] <= line["took_s"] + 0.001
    assert {line["outcome"] for line in asked if line["path"] == "/no"} == {"409"}
    assert sum(sum(transport.exchanges.durations["/echo"].counts) for transport in transports) == 80
    assert sum(transport.exchanges.failures["/no"] for transport in transports) == 4
    assert not any(sum(transport.exchanges.durations["/no"].counts) for transport in transports)


async def test_who_is_not_reached_is_told_and_counted_too(
    loopback: Loopback, identities: Ids, log: io.StringIO
) -> None:
    a, b, *_ = identities
    with pytest.raises(Unreachable):
        await loopback.transport(b).ask(a.id, "/echo", b"", timeout_s=1)
    (line,) = lines(log, "asked")
    assert "no address" in line["outcome"]
    assert loopback.transports[0].exchanges.failures == {"/echo": 1}


@pytest.mark.parametrize(
    "header",
    [None, b"", b"00-xyz", b"00-" + b"A" * 32 + b"-" + b"0" * 16 + b"-00", b"f" * 4000, b'00-1"; DROP', b"\x7f\xff"],
)
async def test_other_programs_are_answered_and_cannot_write_into_the_log(
    header: bytes | None, loopback: Loopback, identities: Ids, members: list[bytes], echo: Echo, log: io.StringIO
) -> None:
    a, b, *_ = identities
    port = await loopback.serve(a, {"/echo": Route(handler=echo, max_bytes=100)})
    head = b"POST /echo HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n"
    head += b"" if header is None else TRACE_HEADER.encode() + b": " + header + b"\r\n"
    async with member_connection(port, a, b, members) as stream:
        await stream.send_all(head + b"\r\nhi")
        connection = h11.Connection(h11.CLIENT)
        connection.send(h11.Request(method="POST", target="/echo", headers=[("host", "x"), ("content-length", "0")]))
        connection.send(h11.EndOfMessage())
        with trio.fail_after(5):
            while (event := connection.next_event()) is h11.NEED_DATA:
                connection.receive_data(bytes(await stream.receive_some()))
    assert isinstance(event, h11.Response)
    assert event.status_code == 200
    (line,) = lines(log, "answered")
    assert line["trace"] == "none"


async def test_a_trace_of_another_request_does_not_stay(
    loopback: Loopback, identities: Ids, members: list[bytes], echo: Echo, log: io.StringIO
) -> None:
    """A connection serves one request after the other: the next one without a trace has none."""
    a, b, *_ = identities
    port = await loopback.serve(a, {"/echo": Route(handler=echo, max_bytes=100)})
    head = "POST /echo HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n"
    trace = "0123456789abcdef" * 2
    async with member_connection(port, a, b, members) as stream:
        for more in (f"{TRACE_HEADER}: {format_trace(trace)}\r\n", ""):
            await stream.send_all(f"{head}{more}\r\nhi".encode())
            with trio.fail_after(5):
                await stream.receive_some()
    assert [line["trace"] for line in lines(log, "answered")] == [trace, "none"]


def test_a_trace_is_read_as_it_was_written() -> None:
    trace = "00ff" * 8
    assert parse_trace(format_trace(trace).encode()) == trace
    assert parse_trace(format_trace(trace).encode() + b"\n") == ""


async def test_nothing_is_told_unless_somebody_looks(
    loopback: Loopback, identities: Ids, echo: Echo, capsys: pytest.CaptureFixture[str]
) -> None:
    a, b, *_ = identities
    await loopback.serve(a, {"/echo": Route(handler=echo, max_bytes=100)})
    await loopback.transport(b).ask(a.id, "/echo", b"hello", timeout_s=5)
    assert capsys.readouterr() == ("", "")
