"""The asking side on real sockets: HTTP/1.1 over mutual TLS, on connections that are kept for a while."""

import math
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace

import h11
import trio

from consensus.keys import id_text
from node.transport import MAX_ANSWER, BadAnswer, Refused, Unreachable
from node.transport.http1 import Conversation, Hangup
from node.transport.tls import Credentials

_KEEP = 45.0  # seconds; less than the server waits, so that we close first
_MAX_KEPT = 4  # connections to one peer
_MAX_REASON = 200  # characters


@dataclass(frozen=True)
class _Kept:
    conversation: Conversation
    address: str
    until: float


class HttpTransport:
    """`Transport` to the members at the given addresses ("host:port").

    A connection is used by one question at a time, and again only after a complete answer.
    """

    def __init__(self, credentials: Credentials, addresses: Mapping[bytes, str]) -> None:
        self._credentials = credentials
        self._addresses = dict(addresses)
        self._kept: defaultdict[bytes, list[_Kept]] = defaultdict(list)
        self._closed = False

    async def set_addresses(self, addresses: Mapping[bytes, str]) -> None:
        """From now on, members are asked at these; connections to elsewhere are closed once they are idle."""
        self._addresses = dict(addresses)
        stale: list[_Kept] = []
        for peer, connections in self._kept.items():
            stale += [kept for kept in connections if kept.address != addresses.get(peer)]
            connections[:] = [kept for kept in connections if kept.address == addresses.get(peer)]
        for kept in stale:  # others go on asking meanwhile
            await kept.conversation.close()

    async def ask(self, peer: bytes, path: str, body: bytes, *, seconds: float, limit: int = MAX_ANSWER) -> bytes:
        """See `Transport.ask`."""
        address = self._addresses.get(peer)
        if address is None:
            raise Unreachable(f"{id_text(peer)}: no address of this member is known")
        try:
            with trio.fail_after(seconds):
                status, answer = await self._ask(peer, address, path, body, limit)
        except trio.TooSlowError:
            raise Unreachable(f"{address}: no answer within {seconds:g} s") from None
        except (Hangup, OSError, trio.BrokenResourceError, UnicodeError) as error:  # UnicodeError: a host name
            raise Unreachable(f"{address}: {_reason(error)}") from None
        if status != 200:
            raise Refused(status, answer[:_MAX_REASON].decode("utf-8", "replace"))
        return answer

    async def close(self) -> None:
        """Closes the connections that wait for another question; no more are kept."""
        self._closed = True
        for connections in list(self._kept.values()):
            while connections:
                await connections.pop().conversation.close()

    async def _ask(self, peer: bytes, address: str, path: str, body: bytes, limit: int) -> tuple[int, bytes]:
        kept = await self._take(peer, address)
        if kept is not None:
            try:
                return await self._exchange(peer, kept, path, body, limit)
            except Hangup:
                pass  # most likely closed while it waited: try a fresh one; all questions may be repeated
        fresh = _Kept(await self._connect(peer, address), address, math.inf)
        return await self._exchange(peer, fresh, path, body, limit)

    async def _take(self, peer: bytes, address: str) -> _Kept | None:
        while self._kept[peer]:
            kept = self._kept[peer].pop()
            if trio.current_time() < kept.until and kept.address == address:
                return kept
            await kept.conversation.close()
        return None

    async def _connect(self, peer: bytes, address: str) -> Conversation:
        host, _, port = address.rpartition(":")
        raw = await trio.open_tcp_stream(host.strip("[]"), int(port))
        # The name checked in the handshake is the node id: another node at the address is refused.
        stream = trio.SSLStream(
            raw, self._credentials.client(peer), server_hostname=id_text(peer), https_compatible=True
        )
        try:
            await stream.do_handshake()
        except BaseException:
            await trio.aclose_forcefully(stream)
            raise
        return Conversation(stream, h11.CLIENT)

    async def _exchange(self, peer: bytes, used: _Kept, path: str, body: bytes, limit: int) -> tuple[int, bytes]:
        conversation, keep = used.conversation, False
        try:
            headers = [("host", id_text(peer)), ("content-length", str(len(body)))]
            await conversation.send(h11.Request(method="POST", target=path, headers=headers), body)
            status, answer = await _read_answer(conversation, limit)
            keep = conversation.again() and self._may_keep(peer, used.address)
        finally:
            if not keep:
                await conversation.close()
        if keep:
            self._kept[peer].append(replace(used, until=trio.current_time() + _KEEP))
        return status, answer

    def _may_keep(self, peer: bytes, address: str) -> bool:
        return len(self._kept[peer]) < _MAX_KEPT and not self._closed and self._addresses.get(peer) == address


async def _read_answer(conversation: Conversation, limit: int) -> tuple[int, bytes]:
    response = await conversation.receive()
    if not isinstance(response, h11.Response):
        raise Hangup("no answer")
    answer = bytearray()
    while isinstance(event := await conversation.receive(), h11.Data):
        answer += event.data
        if len(answer) > limit:
            raise BadAnswer(f"the answer is larger than {limit} bytes")
    return response.status_code, bytes(answer)


def _reason(error: Exception) -> str:
    text = str(error.__cause__ or error) or type(error).__name__
    return text.splitlines()[0]
