"""Peers that stall, flood or talk nonsense on real sockets lose their connection and harm no one else."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest
import trio
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from consensus.keys import id_text
from node.config.identity import Identity
from node.transport import Unreachable, tls
from node.transport.client import HttpTransport
from node.transport.router import Route, Router
from node.transport.server import Limits, PeerServer
from node.transport.tls import Credentials
from tests.node.conftest import Loopback
from tests.node.places import GivenPlaces

Handler = Callable[[bytes, bytes], Awaitable[bytes]]
Ids = list[Identity]

QUICK = Limits(handshake_s=0.8, idle_s=0.8, request_s=0.6, answer_s=0.6, drain_s=0.3)


async def big(member: bytes, body: bytes) -> bytes:
    return bytes(8_000_000)


@asynccontextmanager
async def raw_connection(port: int) -> AsyncIterator[trio.SocketStream]:
    stream = await trio.open_tcp_stream("127.0.0.1", port)
    async with stream:
        yield stream


@asynccontextmanager
async def member_connection(
    port: int, server: Identity, identity: Identity, members: list[bytes]
) -> AsyncIterator[trio.SSLStream[trio.SocketStream]]:
    raw = await trio.open_tcp_stream("127.0.0.1", port)
    context = Credentials(identity, members).client(server.id)
    stream = trio.SSLStream(raw, context, server_hostname=id_text(server.id), https_compatible=True)
    try:
        await stream.do_handshake()
        yield stream
    finally:
        await trio.aclose_forcefully(stream)


async def until_closed(stream: trio.abc.ReceiveStream, seconds: float) -> bytes:
    """Return everything the server still says; fail if it does not close the connection in time."""
    heard = bytearray()
    with trio.fail_after(seconds), suppress(trio.BrokenResourceError):
        while data := await stream.receive_some():
            heard += data
    return bytes(heard)


async def assert_served(loopback: Loopback, server: Identity, asking: Identity) -> None:
    answer = await loopback.transport(asking).ask(server.id, "/echo", b"?", timeout_s=5)
    assert answer == asking.id + b"?"


REQUEST = b"POST /echo HTTP/1.1\r\nhost: x\r\ncontent-length: 3\r\n\r\nabc"

NONSENSE = {
    "bytes": b"\x00\xff" * 500,
    "no http": b"hello there\r\n\r\n",
    "websocket": b"GET /echo HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n",
    "http 2 preface": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "no host": b"POST /echo HTTP/1.1\r\ncontent-length: 3\r\n\r\nabc",
    "two lengths": b"POST /echo HTTP/1.1\r\nhost: x\r\ncontent-length: 3\r\ncontent-length: 4\r\n\r\nabc",
    "negative length": b"POST /echo HTTP/1.1\r\nhost: x\r\ncontent-length: -3\r\n\r\nabc",
    "huge length": b"POST /echo HTTP/1.1\r\nhost: x\r\ncontent-length: 99999999999999999999\r\n\r\nabc",
    "endless header": b"POST /echo HTTP/1.1\r\nhost: " + b"x" * 200_000,
    "many headers": b"POST /echo HTTP/1.1\r\n" + b"a: b\r\n" * 50_000,
    "endless chunks": b"POST /echo HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n"
    + b"5\r\nabcde\r\n" * 10_000,
    "head": b"HEAD /echo HTTP/1.1\r\nhost: x\r\n\r\n",
    "connect": b"CONNECT other:80 HTTP/1.1\r\nhost: x\r\n\r\n",
}


@pytest.mark.parametrize("kind", NONSENSE)
async def test_nonsense_is_hung_up_on(
    kind: str, loopback: Loopback, identities: Ids, members: list[bytes], echo: Handler
) -> None:
    a, b, c, *_ = identities
    port = await loopback.serve(a, {"/echo": Route(handler=echo, max_bytes=100)}, QUICK)
    async with member_connection(port, a, b, members) as stream:
        async with trio.open_nursery() as nursery:

            async def send() -> None:
                with suppress(trio.BrokenResourceError):
                    await stream.send_all(NONSENSE[kind])

            nursery.start_soon(send)
            heard = await until_closed(stream, 5)
        assert not heard or heard.startswith(b"HTTP/1.1 4")
        assert b.id not in heard
    await assert_served(loopback, a, c)
    await assert_served(loopback, a, b)


def nameless_certificate(identity: Identity) -> bytes:
    """Signed by the member, so that the chain holds, but without the name by which it is to be known."""
    key, now = Ed25519PrivateKey.generate(), datetime.now(UTC)
    builder = x509.CertificateBuilder(
        subject_name=x509.Name([]),
        issuer_name=tls._common_name(identity.text),
        public_key=key.public_key(),
        serial_number=1,
        not_valid_before=now - timedelta(days=1),
        not_valid_after=now + timedelta(days=1),
    )
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return pem + builder.sign(identity.private, None).public_bytes(Encoding.PEM)


async def test_a_member_whose_certificate_names_nobody_is_hung_up_on(
    loopback: Loopback, identities: Ids, members: list[bytes], echo: Handler
) -> None:
    a, b, c, *_ = identities
    port = await loopback.serve(a, {"/echo": Route(handler=echo, max_bytes=100)}, QUICK)
    context = Credentials(b, members).client(a.id)
    tls._load(context, nameless_certificate(b))
    async with raw_connection(port) as raw:
        stream = trio.SSLStream(raw, context, server_hostname=id_text(a.id), https_compatible=True)
        with suppress(trio.BrokenResourceError):
            await stream.send_all(REQUEST)
            assert b"HTTP" not in await until_closed(stream, 2)
        await trio.aclose_forcefully(stream)
    await assert_served(loopback, a, c)


async def test_plain_http_is_hung_up_on(loopback: Loopback, identities: Ids, echo: Handler) -> None:
    a, b, *_ = identities
    port = await loopback.serve(a, {"/echo": Route(handler=echo, max_bytes=100)}, QUICK)
    async with raw_connection(port) as stream:
        await stream.send_all(REQUEST)
        assert b"HTTP" not in await until_closed(stream, 5)
    await assert_served(loopback, a, b)


async def test_a_handshake_that_stalls_is_hung_up_on(loopback: Loopback, identities: Ids, echo: Handler) -> None:
    a, b, *_ = identities
    port = await loopback.serve(a, {"/echo": Route(handler=echo, max_bytes=100)}, QUICK)
    async with raw_connection(port) as silent, raw_connection(port) as half:
        await half.send_all(b"\x16\x03\x01\x02\x00\x01")
        await assert_served(loopback, a, b)
        await until_closed(silent, 5)
        await until_closed(half, 5)


@pytest.mark.parametrize("part", [b"", b"POST /ec", REQUEST[:-2]])
async def test_a_request_that_stalls_is_hung_up_on(
    part: bytes, loopback: Loopback, identities: Ids, members: list[bytes], echo: Handler
) -> None:
    a, b, c, *_ = identities
    port = await loopback.serve(a, {"/echo": Route(handler=echo, max_bytes=100)}, QUICK)
    async with member_connection(port, a, b, members) as stream:
        await stream.send_all(part)
        await assert_served(loopback, a, c)
        await until_closed(stream, 5)


async def test_a_request_that_trickles_is_hung_up_on(
    loopback: Loopback, identities: Ids, members: list[bytes], echo: Handler
) -> None:
    a, b, *_ = identities
    port = await loopback.serve(a, {"/echo": Route(handler=echo, max_bytes=100)}, QUICK)
    async with member_connection(port, a, b, members) as stream:

        async def trickle() -> None:
            with suppress(trio.BrokenResourceError):
                for byte in REQUEST:
                    await stream.send_all(bytes([byte]))
                    await trio.sleep(0.05)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(trickle)
            assert await until_closed(stream, 5) == b""
            nursery.cancel_scope.cancel()


async def test_an_answer_nobody_reads_is_given_up(
    loopback: Loopback, identities: Ids, members: list[bytes], echo: Handler
) -> None:
    a, b, c, *_ = identities
    routes = {"/big": Route(handler=big, max_bytes=100), "/echo": Route(handler=echo, max_bytes=100)}
    port = await loopback.serve(a, routes, QUICK)
    async with member_connection(port, a, b, members) as stream:
        await stream.send_all(REQUEST.replace(b"/echo", b"/big"))
        await trio.sleep(1)
        await assert_served(loopback, a, c)
        assert len(await until_closed(stream, 5)) < 8_000_000


async def test_a_peer_that_does_not_read_cannot_hold_up_our_exit(
    nursery: trio.Nursery, identities: Ids, members: list[bytes]
) -> None:
    """anycorn 0.20.1 sends under a shield and waits for such a peer for ever."""
    a, b, *_ = identities
    router = Router(members, {"/big": Route(handler=big, max_bytes=100)})
    server = PeerServer(Credentials(a, members).server, router, Limits())
    stopped = trio.Event()

    async def run(*, task_status: trio.TaskStatus[tuple[int, trio.CancelScope]]) -> None:
        with trio.CancelScope() as scope:
            async with trio.open_nursery() as inner:
                task_status.started((await inner.start(partial(server.serve, "127.0.0.1", 0)), scope))
        stopped.set()

    port, scope = await nursery.start(run)
    async with member_connection(port, a, b, members) as stream:
        await stream.send_all(REQUEST.replace(b"/echo", b"/big"))
        await trio.sleep(0.3)
        scope.cancel()
        with trio.fail_after(5):
            await stopped.wait()


async def test_one_member_cannot_use_up_the_connections(
    loopback: Loopback, identities: Ids, members: list[bytes], echo: Handler
) -> None:
    a, b, c, *_ = identities
    limits = Limits(connections_per_member=2)
    port = await loopback.serve(a, {"/echo": Route(handler=echo, max_bytes=100)}, limits)
    async with (
        member_connection(port, a, b, members),
        member_connection(port, a, b, members),
        member_connection(port, a, b, members) as third,
    ):
        await until_closed(third, 5)
        await assert_served(loopback, a, c)
        with pytest.raises(Unreachable):
            await loopback.transport(b).ask(a.id, "/echo", b"", timeout_s=2)
    await assert_served(loopback, a, b)


async def test_strangers_cannot_use_up_the_handshakes_for_long(
    loopback: Loopback, identities: Ids, echo: Handler
) -> None:
    a, b, *_ = identities
    limits = Limits(handshakes=3, handshake_s=0.8)
    port = await loopback.serve(a, {"/echo": Route(handler=echo, max_bytes=100)}, limits)
    async with raw_connection(port), raw_connection(port), raw_connection(port), raw_connection(port) as last:
        await until_closed(last, 5)
        await trio.sleep(1)
        await assert_served(loopback, a, b)


async def test_strangers_of_one_host_cannot_use_up_the_handshakes_of_others(
    loopback: Loopback, identities: Ids, echo: Handler
) -> None:
    a, b, *_ = identities
    limits = Limits(handshakes_per_host=2, handshake_s=60)
    port = await loopback.serve(a, {"/echo": Route(handler=echo, max_bytes=100)}, limits)
    async with raw_connection(port), raw_connection(port), raw_connection(port) as last:
        await until_closed(last, 5)
        from_elsewhere = await trio.open_tcp_stream("127.0.0.1", port, local_address="127.0.0.2")
        stream = trio.SSLStream(
            from_elsewhere,
            Credentials(b, loopback.members).client(a.id),
            server_hostname=a.text,
            https_compatible=True,
        )
        heard = bytearray()
        with trio.fail_after(5):
            await stream.send_all(REQUEST)
            while b.id + b"abc" not in heard:
                heard += await stream.receive_some()
        await trio.aclose_forcefully(stream)


async def test_several_requests_on_one_connection(
    loopback: Loopback, identities: Ids, members: list[bytes], echo: Handler
) -> None:
    a, b, *_ = identities
    port = await loopback.serve(a, {"/echo": Route(handler=echo, max_bytes=100)})
    async with member_connection(port, a, b, members) as stream:
        await stream.send_all(REQUEST * 3)
        heard = b""
        with trio.fail_after(5):
            while heard.count(b.id + b"abc") < 3:
                heard += await stream.receive_some()


STRANGE_ANSWERS = {
    "nothing": b"",
    "bytes": b"\x00\xff" * 500,
    "half a head": b"HTTP/1.1 200 OK\r\ncontent-le",
    "half a body": b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc",
    "endless head": b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 50_000,
    "informational for ever": b"HTTP/1.1 100 Continue\r\n\r\n" * 100,
}


@pytest.mark.parametrize("then", ["close", "stall"])
@pytest.mark.parametrize("kind", STRANGE_ANSWERS)
async def test_strange_answers_are_errors(
    kind: str, then: str, nursery: trio.Nursery, identities: Ids, members: list[bytes]
) -> None:
    a, b, *_ = identities

    async def answer(raw: trio.SocketStream) -> None:
        context = Credentials(a, members).server()
        stream = trio.SSLStream(raw, context, server_side=True, https_compatible=True)
        try:
            await stream.receive_some()
            await stream.send_all(STRANGE_ANSWERS[kind])
            if then == "stall":
                await trio.sleep(5)
        except trio.BrokenResourceError:
            pass
        finally:
            await trio.aclose_forcefully(stream)

    listeners = await nursery.start(partial(trio.serve_tcp, answer, 0, host="127.0.0.1"))
    address = f"127.0.0.1:{listeners[0].socket.getsockname()[1]}"
    transport = HttpTransport(Credentials(b, members), GivenPlaces({a.id: address}))
    with trio.fail_after(5), pytest.raises(Unreachable):
        await transport.ask(a.id, "/echo", b"abc", timeout_s=0.5)
