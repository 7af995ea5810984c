"""The answering side on real sockets: HTTP/1.1 over mutual TLS.

Every wait has a deadline and every read a limit, and nothing is shielded from cancellation: a peer that
stalls, on a request as well as on its answer, loses its connection and holds up nobody, not even our exit.
"""

import ssl
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import h11
import structlog
import trio

from consensus.keys import MemberId, id_text
from node.transport.http1 import Conversation, Hangup, TlsStream
from node.transport.router import Refusal, Router
from node.transport.tls import authenticated_member

_MAX_DRAINED = 4 * 1024 * 1024  # bytes

_log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Limits:
    """What connections may use up. Times in seconds."""

    handshakes: int = 256  # under way at a time: until it is over, nobody knows who it is
    handshakes_per_host: int = 32  # of these
    connections_per_member: int = 8
    handshake: float = 5.0
    idle: float = 60.0  # without a request on an open connection
    request: float = 10.0  # from the first byte of a request to its last
    answer: float = 20.0  # to get an answer off
    drain: float = 2.0  # to read on after an early refusal


class PeerServer:
    """Serves a `Router` to members; anyone else fails in the TLS handshake.

    `context` is asked at every connection, so that who is a member may change.
    """

    def __init__(self, context: Callable[[], ssl.SSLContext], router: Router, limits: Limits | None = None) -> None:
        self._context = context
        self._router = router
        self._limits = limits or Limits()
        self._handshakes: Counter[str] = Counter()  # by host
        self._by_member: Counter[MemberId] = Counter()

    async def serve(
        self, host: str, port: int, *, task_status: trio.TaskStatus[int] = trio.TASK_STATUS_IGNORED
    ) -> None:
        """Listens until cancelled. Reports the port once bound (0 picks one); OSError if it is taken."""
        listeners = await trio.open_tcp_listeners(port, host=host)
        task_status.started(listeners[0].socket.getsockname()[1])
        await trio.serve_listeners(self._connection, listeners)

    async def _connection(self, raw: trio.SocketStream) -> None:
        stream = trio.SSLStream(raw, self._context(), server_side=True, https_compatible=True)
        try:
            member = await self._admit(stream)
            if self._by_member[member] < self._limits.connections_per_member:
                await self._converse(stream, member)
        except (Hangup, OSError, trio.BrokenResourceError, trio.TooSlowError, ValueError):
            pass  # its own fault and its own loss
        except Exception:
            _log.exception("connection failed")  # a mistake of ours must not be a way to stop this node
        finally:
            await trio.aclose_forcefully(stream)

    async def _admit(self, stream: TlsStream) -> MemberId:
        """The member at the other end. Strangers cannot use up what members need, from one host at least."""
        host = stream.transport_stream.socket.getpeername()[0]
        full = self._handshakes.total() >= self._limits.handshakes
        if full or self._handshakes[host] >= self._limits.handshakes_per_host:
            raise Hangup("too many handshakes")
        self._handshakes[host] += 1
        try:
            with trio.fail_after(self._limits.handshake):
                await stream.do_handshake()
        finally:
            self._handshakes[host] -= 1
            if not self._handshakes[host]:
                del self._handshakes[host]
        return authenticated_member(stream.getpeercert(binary_form=True))

    async def _converse(self, stream: TlsStream, member: MemberId) -> None:
        self._by_member[member] += 1
        try:
            conversation = Conversation(stream, h11.SERVER)
            while True:
                await self._exchange(conversation, member)
                if not conversation.again():
                    break
            with trio.fail_after(self._limits.drain):
                await conversation.drain(_MAX_DRAINED)
        finally:
            self._by_member[member] -= 1

    async def _exchange(self, conversation: Conversation, member: MemberId) -> None:
        with trio.fail_after(self._limits.idle):
            await conversation.wait()
        try:
            with trio.fail_after(self._limits.request):
                path, body = await self._read_request(conversation)
            status, answer = 200, await conversation.attend(partial(self._ask, member, path, body))
        except Refusal as refusal:
            status, answer = refusal.status, refusal.reason.encode()
        headers = [("content-length", str(len(answer)))]
        if not conversation.heard_out:
            headers.append(("connection", "close"))
        with trio.fail_after(self._limits.answer):
            await conversation.send(h11.Response(status_code=status, headers=headers), answer)

    async def _read_request(self, conversation: Conversation) -> tuple[str, bytes]:
        request = await conversation.receive()
        if not isinstance(request, h11.Request):
            raise Hangup("no request")
        if request.method != b"POST":
            raise Refusal(405, "only POST is understood")
        path = request.target.decode("ascii")
        self._router.admit(path, _announced_size(request))  # before a byte of the body is read
        body = bytearray()
        while isinstance(event := await conversation.receive(), h11.Data):
            body += event.data
            self._router.admit(path, len(body))
        return path, bytes(body)

    async def _ask(self, member: MemberId, path: str, body: bytes) -> bytes:
        try:
            return await self._router.answer(member, path, body)
        except Refusal:
            raise
        except Exception:
            # A mistake of ours that some input brings out must not be a way to stop this node.
            _log.exception("request failed", member=id_text(member), path=path)
            raise Refusal(500, "internal error") from None


def _announced_size(request: h11.Request) -> int:
    return next((int(value) for name, value in request.headers if name == b"content-length"), 0)
