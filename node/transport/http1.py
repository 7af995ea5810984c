"""An HTTP/1.1 connection over TCP or TLS, seen from either end: h11 reads and writes, trio moves the bytes."""

import contextlib
from collections.abc import Awaitable, Callable
from typing import TypeAlias

import h11
import trio

from node.system.tasks import run_unless

TlsStream: TypeAlias = trio.SSLStream[trio.SocketStream]

_CHUNK_BYTES = 64 * 1024
_LINE_ENDS = b"\r\n"
_MAX_REASON_CHARS = 200


class Hangup(Exception):  # noqa: N818 - what the other end did
    """The other end closed the connection or broke the protocol."""


class Malformed(Hangup):
    """The other end did not speak HTTP, or not as it should; `status` is the HTTP status that says so."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(f"not HTTP: {reason}")
        self.status, self.reason = status, reason


class HttpConnection:
    """Messages over one connection. After an exception it can only be closed."""

    def __init__(self, stream: trio.abc.Stream, role: type[h11.CLIENT] | type[h11.SERVER]) -> None:
        self._stream = stream
        self._role = role
        self._http = h11.Connection(role)

    async def wait(self) -> None:
        """Wait for the first byte of the next message; empty lines do not count (RFC 9112, 2.2). Raise Hangup."""
        data, _ = self._http.trailing_data
        while not data.lstrip(_LINE_ENDS):
            data = await self._read()
        self._http = h11.Connection(self._role)  # of an exchange that is over it keeps nothing that counts
        self._http.receive_data(data.lstrip(_LINE_ENDS))

    async def receive(self) -> h11.Event:
        """Return the next part of the other end's message. Raise Hangup, of which Malformed can be answered."""
        while True:
            try:
                event = self._http.next_event()
            except h11.RemoteProtocolError as error:
                reason = str(error)[:_MAX_REASON_CHARS]  # h11 quotes what it refuses
                raise Malformed(error.error_status_hint, reason) from None
            if isinstance(event, h11.ConnectionClosed) or event is h11.PAUSED:
                raise Hangup("connection closed")
            if isinstance(event, h11.Event):
                return event
            self._http.receive_data(await self._read())

    async def send(self, head: h11.Request | h11.Response, body: bytes) -> None:
        """Send a whole message. Raise Hangup, also if it cannot be sent here (a body after HEAD)."""
        try:
            parts = [self._http.send(event) for event in (head, h11.Data(data=body), h11.EndOfMessage())]
        except h11.LocalProtocolError as error:
            raise Hangup(f"cannot be answered: {error}") from None
        await self._send(b"".join(part for part in parts if part))

    async def send_part(self, part: h11.Event) -> None:
        """Send a part of a message. Raise Hangup."""
        await self._send(self._http.send(part) or b"")

    async def _send(self, data: bytes) -> None:
        try:
            await self._stream.send_all(data)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            raise Hangup("connection lost") from None

    async def invite_body(self) -> None:
        """Tell the other end to send the body of its request, if it waits for that. Raise Hangup."""
        if self._http.they_are_waiting_for_100_continue:
            head = self._http.send(h11.InformationalResponse(status_code=100, headers=[], reason=b"Continue"))
            await self._send(head or b"")

    @property
    def has_read_message(self) -> bool:
        """Whether the other end's message was read to its end."""
        return self._http.their_state in (h11.DONE, h11.MUST_CLOSE)

    def reuse(self) -> bool:
        """Make the connection ready for another exchange. Return False if it has to be closed instead."""
        if self._http.our_state is not h11.DONE or self._http.their_state is not h11.DONE:
            return False
        self._http.start_next_cycle()
        return True

    async def run_unless_hangup(self, work: Callable[[], Awaitable[bytes]]) -> bytes:
        """Return what `work` returns; it is cancelled if the other end leaves. Raise Hangup."""

        async def hangup() -> None:
            with contextlib.suppress(Hangup):
                self._http.receive_data(await self._read())
                await trio.sleep_forever()  # the next request has come early: it can wait

        result = await run_unless(work, hangup)
        if result is None:
            raise Hangup("connection closed")
        return result

    async def end(self, max_bytes: int) -> None:
        """Say that nothing more comes, and throw away up to `max_bytes` that still arrive. Raise Hangup at their end.

        A connection closed on unread bytes is reset, and the other end would lose our answer.
        """
        if isinstance(self._stream, trio.abc.HalfCloseableStream):  # TLS cannot end one direction alone
            with contextlib.suppress(trio.BrokenResourceError, trio.ClosedResourceError):
                await self._stream.send_eof()
        while max_bytes > 0:
            max_bytes -= len(await self._read())

    async def aclose(self) -> None:
        """Close without waiting for the other end."""
        await trio.aclose_forcefully(self._stream)

    async def _read(self) -> bytes:
        try:
            data = await self._stream.receive_some(_CHUNK_BYTES)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            raise Hangup("connection lost") from None
        if not data:
            raise Hangup("connection closed")
        return bytes(data)
