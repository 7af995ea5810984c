"""The local HTTP server on a real socket: where it is, that it ends at once, whom it answers."""

import json
from collections.abc import AsyncIterator
from contextlib import suppress
from functools import partial
from pathlib import Path

import pytest
import trio

from node.api.endpoint import read_url
from node.config.address import Address
from node.config.toml import ConfigError
from node.web.server import serve_local
from tests.node.fake_source import FakeSource

LOOPBACK = Address("127.0.0.1", 0)


async def connect(url: str) -> trio.SocketStream:
    host, _, port = url.removeprefix("http://").rpartition(":")
    return await trio.open_tcp_stream(host.strip("[]"), int(port))


async def ask(stream: trio.SocketStream, path: str, host: str = "127.0.0.1") -> bytes:
    await stream.send_all(f"GET {path} HTTP/1.1\r\nhost: {host}\r\n\r\n".encode())
    answer = b""
    while b"\r\n\r\n" not in answer:
        answer += await stream.receive_some()
    head, _, body = answer.partition(b"\r\n\r\n")
    length = next(int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
    while len(body) < length:
        body += await stream.receive_some()
    return head + b"\r\n\r\n" + body


@pytest.fixture
async def url(source: FakeSource, tmp_path: Path) -> AsyncIterator[str]:
    async with trio.open_nursery() as nursery:
        yield await nursery.start(serve_local, source, LOOPBACK, tmp_path)
        nursery.cancel_scope.cancel()


async def test_a_note_in_the_data_folder_says_where(source: FakeSource, tmp_path: Path) -> None:
    async with trio.open_nursery() as nursery:
        url = await nursery.start(serve_local, source, LOOPBACK, tmp_path)
        assert read_url(tmp_path) == url
        async with await connect(url) as stream:
            answer = await ask(stream, "/health")
        assert json.loads(answer.partition(b"\r\n\r\n")[2]) == {"alive": True}
        nursery.cancel_scope.cancel()
    assert read_url(tmp_path) is None


async def test_ipv6(source: FakeSource, tmp_path: Path) -> None:
    async with trio.open_nursery() as nursery:
        url = await nursery.start(serve_local, source, Address("::1", 0), tmp_path)
        assert url.startswith("http://[::1]:")
        async with await connect(url) as stream:
            assert b" 200 " in await ask(stream, "/health", host="[::1]")
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize(
    "unfinished",
    [
        b"",
        b"GET /health HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n",
        b"GET /health HTTP/1.1\r\nhost: 127",
        b"POST /health HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: 1000\r\n\r\nabc",
        b"GET /log HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n" * 20_000,
    ],
    ids=["silent", "kept alive", "half a head", "half a body", "reads no answers"],
)
async def test_ends_at_once_whatever_clients_do(
    source: FakeSource, tmp_path: Path, unfinished: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    long_log = source.log(0) * 60
    monkeypatch.setattr(source, "log", lambda after: long_log)
    async with trio.open_nursery() as nursery:
        url = await nursery.start(serve_local, source, LOOPBACK, tmp_path)
        stream = await connect(url)
        with trio.move_on_after(1):
            await stream.send_all(unfinished)
        await trio.sleep(0.1)
        nursery.cancel_scope.cancel()
        began = trio.current_time()
    assert trio.current_time() - began < 0.5
    await stream.aclose()


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"HEAD /status HTTP/1.1\r\nhost: localhost\r\n\r\n",
        b"POST /status HTTP/1.1\r\nhost: localhost\r\ncontent-length: 3\r\n\r\nabc",
        b"PUT /status HTTP/1.1\r\nhost: localhost\r\ncontent-length: 200000\r\n\r\n" + bytes(200_000),
        b"PUT /status HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
        b"CONNECT localhost:80 HTTP/1.1\r\nhost: localhost\r\n\r\n",
        b"GET /status HTTP/1.1\r\nhost: localhost\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n",
        b"GET //[ HTTP/1.0\r\n\r\n",
        b"GET /certificates/%ff%00 HTTP/1.1\r\nhost: localhost\r\n\r\n",
        b"GET /\xff HTTP/1.1\r\nhost: localhost\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost: \xff\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET /" + b"x" * 100_000,
        b"\x16\x03\x01\x02\x00\x01\x00\x01",
        bytes(range(256)),
    ],
)
async def test_no_request_stops_the_node(url: str, request_bytes: bytes) -> None:
    async with await connect(url) as stream:
        with suppress(trio.BrokenResourceError):
            await stream.send_all(request_bytes)
            await stream.send_eof()
            while await stream.receive_some():
                pass
    async with await connect(url) as stream:
        assert b" 200 " in await ask(stream, "/health")


async def test_head_has_the_length_and_no_body(url: str) -> None:
    async with await connect(url) as stream:
        answer = await ask(stream, "/status")
        await stream.send_all(b"HEAD /status HTTP/1.1\r\nhost: localhost\r\n\r\nGET /health HTTP/1.1\r\n")
        head = await stream.receive_some()
        assert head.endswith(b"\r\n\r\n")
        assert head.split(b"\r\n\r\n")[0] == answer.split(b"\r\n\r\n")[0]


async def test_a_port_in_use_is_one_line(source: FakeSource, tmp_path: Path, url: str) -> None:
    port = int(url.rpartition(":")[2])
    with pytest.raises(ExceptionGroup) as caught:
        async with trio.open_nursery() as nursery:
            await nursery.start(partial(serve_local, source, Address("127.0.0.1", port), tmp_path))
    (error,) = caught.value.exceptions
    assert isinstance(error, ConfigError)
    assert str(error) == (
        f"--http 127.0.0.1:{port}: port {port} is in use on 127.0.0.1; stop the program that has it "
        "(perhaps this node runs already), or choose another with --http HOST:PORT"
    )


async def test_answers_only_those_who_mean_this_machine(url: str) -> None:
    async with await connect(url) as stream:
        assert b" 400 " in await ask(stream, "/status", host="attacker.example")
    async with await connect(url) as stream:
        assert b" 200 " in await ask(stream, "/status", host="localhost:8400")
