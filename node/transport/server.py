"""The answering side on real sockets: HTTP/1.1 over mutual TLS.

Every wait has a deadline and every read a limit, and nothing is shielded from cancellation. A peer that stalls, while
it asks or while it is answered, loses its connection and holds up nobody, not even our exit.
"""

import ssl
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus

import h11
import structlog
import trio

from consensus.keys import MemberId, id_text
from node.transport.exchanges import TRACE_HEADER, follow_trace, parse_trace
from node.transport.http1 import Hangup, HttpConnection, TlsStream
from node.transport.router import Refusal, Router
from node.transport.tls import authenticated_member

_MAX_DRAINED_BYTES = 4 * 1024 * 1024

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, kw_only=True)
class Limits:
    """How much connections may use."""

    handshakes: int = 256  # under way at a time; until one is over, nobody knows with whom it is
    handshakes_per_host: int = 32  # of these
    connections_per_member: int = 8
    handshake_s: float = 5.0
    idle_s: float = 60.0  # without a request on an open connection
    request_s: float = 10.0  # from the first byte of a request to its last
    answer_s: float = 20.0  # to send an answer
    drain_s: float = 2.0  # to read on after an early refusal


class PeerServer:
    """Serves a `Router` to members; anybody else fails in the TLS handshake.

    `context` is called for every connection, so that members may change.
    """

    def __init__(
        self,
        context: Callable[[], ssl.SSLContext],
        router: Router,
        limits: Limits | None = None,
        observe: Callable[[MemberId, str], None] = lambda _member, _host: None,
    ) -> None:
        """Set up the server. `observe` takes who has connected, and from which host (a numeric address)."""
        self._observe = observe
        self._context = context
        self._router = router
        self._limits = limits or Limits()
        self._handshakes: Counter[str] = Counter()  # by host
        self._by_member: Counter[MemberId] = Counter()

    async def serve(
        self, host: str, port: int, *, task_status: trio.TaskStatus[int] = trio.TASK_STATUS_IGNORED
    ) -> None:
        """Answer requests until cancelled. Report the port once bound (0 picks one). Raise OSError if it is taken."""
        listeners = await trio.open_tcp_listeners(port, host=host)
        task_status.started(listeners[0].socket.getsockname()[1])
        await trio.serve_listeners(self._serve_connection, listeners)

    async def _serve_connection(self, raw: trio.SocketStream) -> None:
        stream = trio.SSLStream(raw, self._context(), server_side=True, https_compatible=True)
        try:
            member = await self._shake_hands(stream)
            if self._by_member[member] < self._limits.connections_per_member:
                await self._serve_member(HttpConnection(stream, h11.SERVER), member)
        except (Hangup, OSError, trio.BrokenResourceError, trio.TooSlowError, ValueError):
            pass  # the fault of the other end, and its loss
        except Exception:
            _log.exception("connection failed")  # an error of ours must not be a way to stop this node
        finally:
            await trio.aclose_forcefully(stream)

    async def _shake_hands(self, stream: TlsStream) -> MemberId:
        """Return the member at the other end. Strangers cannot use up what members need, at least from one host."""
        host = stream.transport_stream.socket.getpeername()[0]
        full = self._handshakes.total() >= self._limits.handshakes
        if full or self._handshakes[host] >= self._limits.handshakes_per_host:
            raise Hangup("too many handshakes")
        self._handshakes[host] += 1
        try:
            with trio.fail_after(self._limits.handshake_s):
                await stream.do_handshake()
        finally:
            self._handshakes[host] -= 1
            if not self._handshakes[host]:
                del self._handshakes[host]
        member = authenticated_member(stream.getpeercert(binary_form=True))
        self._observe(member, host)
        return member

    async def _serve_member(self, connection: HttpConnection, member: MemberId) -> None:
        self._by_member[member] += 1
        try:
            while True:
                await self._exchange(connection, member)
                if not connection.reuse():
                    break
            with trio.fail_after(self._limits.drain_s):
                await connection.end(_MAX_DRAINED_BYTES)
        finally:
            self._by_member[member] -= 1

    async def _exchange(self, connection: HttpConnection, member: MemberId) -> None:
        with trio.fail_after(self._limits.idle_s):
            await connection.wait()
        try:
            with trio.fail_after(self._limits.request_s):
                path, body = await self._read_request(connection)
            answer = await connection.run_unless_hangup(partial(self._answer, member, path, body))
            status: int = HTTPStatus.OK
        except Refusal as refusal:
            status, answer = refusal.status, refusal.reason.encode()
        headers = [("content-length", str(len(answer)))]
        if not connection.has_read_message:
            headers.append(("connection", "close"))
        with trio.fail_after(self._limits.answer_s):
            await connection.send(h11.Response(status_code=status, headers=headers), answer)

    async def _read_request(self, connection: HttpConnection) -> tuple[str, bytes]:
        """Return path and body. Raise Refusal as soon as it is clear that there will be no answer, Hangup."""
        request = await connection.receive()
        if not isinstance(request, h11.Request):
            raise Hangup("no request")
        if request.method != b"POST":
            raise Refusal(HTTPStatus.METHOD_NOT_ALLOWED, "only POST is understood")
        follow_trace(parse_trace(_header(request, TRACE_HEADER.encode())))
        path = request.target.decode("ascii")
        self._router.check_size(path, _announced_bytes(request))  # before a byte of the body is read
        body = bytearray()
        while isinstance(event := await connection.receive(), h11.Data):
            body += event.data
            self._router.check_size(path, len(body))
        return path, bytes(body)

    async def _answer(self, member: MemberId, path: str, body: bytes) -> bytes:
        try:
            return await self._router.answer(member, path, body)
        except Refusal:
            raise
        except Exception:
            # An error of ours that some input brings out must not be a way to stop this node.
            _log.exception("request failed", member=id_text(member), path=path)
            raise Refusal(HTTPStatus.INTERNAL_SERVER_ERROR, "internal error") from None


def _announced_bytes(request: h11.Request) -> int:
    return int(_header(request, b"content-length") or 0)


def _header(request: h11.Request, wanted: bytes) -> bytes:
    """Return the value of a header, in lower case; b"" without one."""
    return next((value for name, value in request.headers if name == wanted), b"")
