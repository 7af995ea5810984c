"""The asking side on real sockets: HTTP/1.1 over mutual TLS, on connections that are kept for a while."""

import math
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from http import HTTPStatus

import h11
import trio

from consensus.keys import MemberId, id_text
from node.transport import MAX_ANSWER_BYTES, BadAnswer, Refused, Unreachable
from node.transport.http1 import Hangup, HttpConnection
from node.transport.tls import Credentials

_KEEP_S = 45.0  # less than the server waits, so that we close first
_MAX_KEPT = 4  # connections to one peer
_MAX_REASON_BYTES = 200


@dataclass(frozen=True)
class _Kept:
    """A connection that may serve further requests."""

    connection: HttpConnection
    address: str
    until: float  # of trio's clock


@dataclass(frozen=True)
class _Request:
    peer: MemberId
    address: str
    path: str
    body: bytes
    max_bytes: int  # of the answer


class HttpTransport:
    """`Transport` to the members at the given addresses ("host:port").

    A connection is used by one request at a time, and again only after a complete answer.
    """

    def __init__(self, credentials: Credentials, addresses: Mapping[MemberId, str]) -> None:
        self._credentials = credentials
        self._addresses = dict(addresses)
        self._kept: defaultdict[MemberId, list[_Kept]] = defaultdict(list)
        self._closed = False

    async def set_addresses(self, addresses: Mapping[MemberId, str]) -> None:
        """Ask members at these addresses from now on. Idle connections to other places are closed."""
        self._addresses = dict(addresses)
        stale: list[_Kept] = []
        for peer, connections in self._kept.items():
            stale += [kept for kept in connections if kept.address != addresses.get(peer)]
            connections[:] = [kept for kept in connections if kept.address == addresses.get(peer)]
        for kept in stale:  # other tasks go on asking meanwhile
            await kept.connection.aclose()

    async def ask(
        self, peer: MemberId, path: str, body: bytes, *, timeout_s: float, max_bytes: int = MAX_ANSWER_BYTES
    ) -> bytes:
        """See `Transport.ask`."""
        address = self._addresses.get(peer)
        if address is None:
            raise Unreachable(f"{id_text(peer)}: no address of this member is known")
        try:
            with trio.fail_after(timeout_s):
                status, answer = await self._ask(_Request(peer, address, path, body, max_bytes))
        except trio.TooSlowError:
            raise Unreachable(f"{address}: no answer within {timeout_s:g} s") from None
        except (Hangup, OSError, trio.BrokenResourceError, UnicodeError) as error:  # UnicodeError: a host name
            raise Unreachable(f"{address}: {_reason(error)}") from None
        if status != HTTPStatus.OK:
            raise Refused(status, answer[:_MAX_REASON_BYTES].decode("utf-8", "replace"))
        return answer

    async def aclose(self) -> None:
        """Close the idle connections, and keep no more."""
        self._closed = True
        for connections in list(self._kept.values()):
            while connections:
                await connections.pop().connection.aclose()

    async def _ask(self, request: _Request) -> tuple[int, bytes]:
        kept = await self._take_kept(request.peer, request.address)
        if kept is not None:
            try:
                return await self._exchange(kept, request)
            except Hangup:
                pass  # most likely closed while it was idle: try a fresh one; every request may be repeated
        fresh = _Kept(await self._connect(request.peer, request.address), request.address, math.inf)
        return await self._exchange(fresh, request)

    async def _take_kept(self, peer: MemberId, address: str) -> _Kept | None:
        while self._kept[peer]:
            kept = self._kept[peer].pop()
            if trio.current_time() < kept.until and kept.address == address:
                return kept
            await kept.connection.aclose()
        return None

    async def _connect(self, peer: MemberId, address: str) -> HttpConnection:
        host, _, port = address.rpartition(":")
        raw = await trio.open_tcp_stream(host.strip("[]"), int(port))
        # The name that the handshake checks is the node id: another node at the address is refused.
        stream = trio.SSLStream(
            raw, self._credentials.client(peer), server_hostname=id_text(peer), https_compatible=True
        )
        try:
            await stream.do_handshake()
        except BaseException:
            await trio.aclose_forcefully(stream)
            raise
        return HttpConnection(stream, h11.CLIENT)

    async def _exchange(self, used: _Kept, request: _Request) -> tuple[int, bytes]:
        connection, keep = used.connection, False
        try:
            headers = [("host", id_text(request.peer)), ("content-length", str(len(request.body)))]
            head = h11.Request(method="POST", target=request.path, headers=headers)
            await connection.send(head, request.body)
            status, answer = await _read_answer(connection, request.max_bytes)
            keep = connection.reuse() and self._may_keep(request.peer, used.address)
        finally:
            if not keep:
                await connection.aclose()
        if keep:
            self._kept[request.peer].append(replace(used, until=trio.current_time() + _KEEP_S))
        return status, answer

    def _may_keep(self, peer: MemberId, address: str) -> bool:
        has_room = len(self._kept[peer]) < _MAX_KEPT and not self._closed
        return has_room and self._addresses.get(peer) == address


async def _read_answer(connection: HttpConnection, max_bytes: int) -> tuple[int, bytes]:
    """Return status and body. Raise BadAnswer if it is larger than allowed, Hangup."""
    response = await connection.receive()
    if not isinstance(response, h11.Response):
        raise Hangup("no answer")
    answer = bytearray()
    while isinstance(event := await connection.receive(), h11.Data):
        answer += event.data
        if len(answer) > max_bytes:
            raise BadAnswer(f"the answer is larger than {max_bytes} bytes")
    return response.status_code, bytes(answer)


def _reason(error: Exception) -> str:
    text = str(error.__cause__ or error) or type(error).__name__
    return text.splitlines()[0]
