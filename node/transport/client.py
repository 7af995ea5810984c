"""The asking side on real sockets: HTTP/1.1 over mutual TLS, on connections that are kept for a while."""

import math
import os
import socket
import ssl
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from http import HTTPStatus

import h11
import trio

from consensus.keys import MemberId, id_text
from node.system.exception_groups import leaves
from node.transport import MAX_ANSWER_BYTES, BadAnswer, Candidate, Places, Refused, Unreachable
from node.transport.exchanges import TRACE_HEADER, AskedExchanges, current_trace, format_trace
from node.transport.http1 import Hangup, HttpConnection, TlsStream
from node.transport.tls import Credentials, authenticated_member, trusting_context

_KEEP_S = 45.0  # less than the server waits, so that we close first
_MAX_KEPT = 4  # connections to one peer
_MAX_REASON_BYTES = 200
_HEAD_START_S = 0.3  # of one address over the next, while it neither answers nor refuses
_FAILURES = (Hangup, OSError, trio.BrokenResourceError, ValueError)  # ValueError: a host name, a certificate


@dataclass(frozen=True)
class _Kept:
    """A connection that may serve further requests."""

    connection: HttpConnection
    address: str
    until: float  # of trio's clock


@dataclass(frozen=True)
class _Request:
    peer: MemberId
    path: str
    body: bytes
    max_bytes: int  # of the answer


class HttpTransport:
    """`Transport` to members at the addresses that `places` gives.

    A connection is used by one request at a time, and again only after a complete answer.
    """

    def __init__(self, credentials: Credentials, places: Places) -> None:
        self._credentials = credentials
        self._places = places
        self._kept: defaultdict[MemberId, list[_Kept]] = defaultdict(list)
        self._closed = False
        self.exchanges = AskedExchanges()

    async def close_stale(self) -> None:
        """Close the idle connections to places where members are not asked any more."""
        stale: list[_Kept] = []
        for peer, connections in self._kept.items():
            known = self._known(peer)
            stale += [kept for kept in connections if kept.address not in known]
            connections[:] = [kept for kept in connections if kept.address in known]
        for kept in stale:  # other tasks go on asking meanwhile
            await kept.connection.aclose()

    def _known(self, peer: MemberId) -> frozenset[str]:
        return frozenset(candidate.address for candidate in self._places.candidates(peer))

    async def ask(
        self, peer: MemberId, path: str, body: bytes, *, timeout_s: float, max_bytes: int = MAX_ANSWER_BYTES
    ) -> bytes:
        """See `Transport.ask`."""
        asking = self._ask_anywhere(_Request(peer, path, body, max_bytes), timeout_s)
        return await self.exchanges.follow(peer, path, body, asking)

    async def _ask_anywhere(self, request: _Request, timeout_s: float) -> bytes:
        candidates = self._places.candidates(request.peer)
        if not candidates:
            raise Unreachable(f"{id_text(request.peer)}: no address of this member is known")
        tried = ", ".join(candidate.address for candidate in candidates)
        try:
            with trio.fail_after(timeout_s):
                status, answer = await self._ask(candidates, request)
        except trio.TooSlowError:
            raise Unreachable(f"{tried}: no answer within {timeout_s:g} s") from None
        except _FAILURES as error:
            raise Unreachable(f"{tried}: {_reason(error)}") from None
        if status != HTTPStatus.OK:
            raise Refused(status, answer[:_MAX_REASON_BYTES].decode("utf-8", "replace"))
        return answer

    async def try_places(self, peer: MemberId, *, timeout_s: float) -> dict[str, str]:
        """Connect afresh to where a member says that it is, and where it was agreed to be or named.

        Return by address why that failed; "" where it did not. Places that others told are left out.
        """
        tried: dict[str, str] = {}

        async def attempt(candidate: Candidate) -> None:
            tried[candidate.address] = f"no answer within {timeout_s:g} s"
            with trio.move_on_after(timeout_s):
                try:
                    connection = await self._connect(peer, candidate)
                except _FAILURES as error:
                    tried[candidate.address] = _greeting_failure(error)
                else:
                    tried[candidate.address] = ""
                    await connection.aclose()

        async with trio.open_nursery() as nursery:
            for candidate in self._places.candidates(peer):
                if candidate.source in (None, peer) and self._places.may_try(candidate):
                    nursery.start_soon(attempt, candidate)
        return tried

    async def aclose(self) -> None:
        """Close the idle connections, and keep no more."""
        self._closed = True
        for connections in list(self._kept.values()):
            while connections:
                await connections.pop().connection.aclose()

    async def _ask(self, candidates: Sequence[Candidate], request: _Request) -> tuple[int, bytes]:
        kept = await self._take_kept(request.peer, frozenset(candidate.address for candidate in candidates))
        if kept is not None:
            try:
                return await self._exchange(kept, request)
            except Hangup:
                pass  # most likely closed while it was idle: try a fresh one; every request may be repeated
        return await self._exchange(await self._connect_to_any(request.peer, candidates), request)

    async def _take_kept(self, peer: MemberId, addresses: frozenset[str]) -> _Kept | None:
        while self._kept[peer]:
            kept = self._kept[peer].pop()
            if trio.current_time() < kept.until and kept.address in addresses:
                return kept
            await kept.connection.aclose()
        return None

    async def _connect_to_any(self, peer: MemberId, candidates: Sequence[Candidate]) -> _Kept:
        """Try one address after the other, each while the one before may still answer; return the first connection.

        Raise one of `_FAILURES`.
        """
        found: list[_Kept] = []
        failures: list[Exception] = []

        async def attempt(candidate: Candidate, over: trio.Event) -> None:
            try:
                connection = await self._connect(peer, candidate)
            except _FAILURES as error:
                failures.append(error)
                over.set()
                return
            if found:  # another one was as fast
                await connection.aclose()
                return
            found.append(_Kept(connection, candidate.address, math.inf))
            nursery.cancel_scope.cancel()

        try:
            async with trio.open_nursery() as nursery:
                for candidate in candidates:
                    if self._places.may_try(candidate):
                        over = trio.Event()
                        nursery.start_soon(attempt, candidate, over)
                        with trio.move_on_after(_HEAD_START_S):
                            await over.wait()
        except BaseException:
            for kept in found:
                await kept.connection.aclose()
            raise
        if not found:
            raise failures[0] if failures else Hangup("tried too often for now")
        return found[0]

    async def _connect(self, peer: MemberId, candidate: Candidate) -> HttpConnection:
        host, _, port = candidate.address.rpartition(":")
        host = host.strip("[]")
        if candidate.source is not None:
            host = await self._resolve_hearsay(host, int(port))
        return HttpConnection(await _open_stream(self._credentials, peer, host, int(port)), h11.CLIENT)

    async def _resolve_hearsay(self, host: str, port: int) -> str:
        """Return the numeric address to which a name leads that rests on a member's word.

        Raise OSError, also if no other machine can be there.
        """
        for *_, place in await trio.socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
            if self._places.is_fit(str(place[0])):
                return str(place[0])
        raise OSError(f"{host} is an address of this machine or of its link, which a member's word does not open")

    async def _exchange(self, used: _Kept, request: _Request) -> tuple[int, bytes]:
        connection, keep = used.connection, False
        try:
            headers = [("host", id_text(request.peer)), ("content-length", str(len(request.body)))]
            headers.append((TRACE_HEADER, format_trace(current_trace())))
            head = h11.Request(method="POST", target=request.path, headers=headers)
            await connection.send(head, request.body)
            status, answer = await _read_answer(connection, request.max_bytes)
            keep = connection.reuse() and self._may_keep(request.peer, used.address)
        finally:
            if not keep:
                await connection.aclose()
        if keep:
            self._kept[request.peer].append(replace(used, until=trio.current_time() + _KEEP_S))
        self._places.observe_reached(request.peer, used.address)
        return status, answer

    def _may_keep(self, peer: MemberId, address: str) -> bool:
        has_room = len(self._kept[peer]) < _MAX_KEPT and not self._closed
        return has_room and address in self._known(peer)


async def find_second_instance(credentials: Credentials, me: MemberId, address: str, *, timeout_s: float) -> bool:
    """Return whether a process other than this one serves at `address` ("host:port") with our own key, `me`.

    It shows its certificate in the handshake, and that is another than ours. No answer within `timeout_s`, and any
    other answer, means that there is none.
    """
    try:
        return not credentials.has_issued(await greet(credentials, me, address, timeout_s=timeout_s))
    except Unreachable:
        return False


async def greet(credentials: Credentials, peer: MemberId, address: str, *, timeout_s: float) -> bytes:
    """Return the certificate (DER) that `peer` shows at `address` ("host:port"); nothing is asked.

    Raise Unreachable, with the reason.
    """
    host, _, port = address.rpartition(":")
    try:
        with trio.fail_after(timeout_s):
            stream = await _open_stream(credentials, peer, host.strip("[]"), int(port))
    except trio.TooSlowError:
        raise Unreachable(f"no answer within {timeout_s:g} s") from None
    except _FAILURES as error:
        raise Unreachable(_greeting_failure(error)) from error
    certificate: bytes = stream.getpeercert(binary_form=True)
    await trio.aclose_forcefully(stream)
    return certificate


async def look_at(address: str, *, timeout_s: float) -> tuple[MemberId, bytes]:
    """Return who serves members at `address` ("host:port"), and the certificate (DER) that it shows.

    No key is needed for that: a server shows its certificate before it asks for the client's. Raise Unreachable, with
    the reason.
    """
    host, _, port = address.rpartition(":")
    try:
        with trio.fail_after(timeout_s):
            raw = await trio.open_tcp_stream(host.strip("[]"), int(port))
            stream = trio.SSLStream(raw, trusting_context(), https_compatible=True)
            try:
                await stream.do_handshake()
                certificate: bytes = stream.getpeercert(binary_form=True)
                return authenticated_member(certificate), certificate
            finally:
                await trio.aclose_forcefully(stream)
    except trio.TooSlowError:
        raise Unreachable(f"no answer within {timeout_s:g} s") from None
    except ValueError:
        raise Unreachable("what answers there is not a ringrift-node") from None
    except _FAILURES as error:
        raise Unreachable(_greeting_failure(error)) from error


def _greeting_failure(error: Exception) -> str:
    """Return for a person why nobody was met."""
    cause = error.__cause__
    if isinstance(cause, ssl.SSLCertVerificationError):
        return "a node with another key answers there"
    if isinstance(cause, ssl.SSLError):
        return "what answers there is not a ringrift-node"
    attempts = leaves(cause) if isinstance(cause, BaseExceptionGroup) else iter([error])
    first = next(attempts)  # of one or several addresses of the name
    return os.strerror(first.errno) if isinstance(first, OSError) and first.errno else _reason(error)


async def _open_stream(credentials: Credentials, peer: MemberId, host: str, port: int) -> TlsStream:
    """Connect to `peer` and shake hands. Raise one of `_FAILURES`."""
    raw = await trio.open_tcp_stream(host, port)
    # The name that the handshake checks is the node id: another node at the address is refused.
    stream = trio.SSLStream(raw, credentials.client(peer), server_hostname=id_text(peer), https_compatible=True)
    try:
        await stream.do_handshake()
        if authenticated_member(stream.getpeercert(binary_form=True)) != peer:
            raise Hangup("another node than it should be")
    except BaseException:
        await trio.aclose_forcefully(stream)
        raise
    return stream


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
    cause = error.__cause__ or error
    first = next(leaves(cause)) if isinstance(cause, BaseExceptionGroup) else cause  # one of several attempts
    text = str(first) or type(first).__name__
    return text.splitlines()[0]
