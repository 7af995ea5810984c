"""One HTTP/1.1 conversation over TCP or TLS, seen from either end: h11 reads and writes, trio moves the bytes."""

import contextlib
from collections.abc import Awaitable, Callable
from typing import TypeAlias

import h11
import trio

from node.system.tasks import run_unless

TlsStream: TypeAlias = trio.SSLStream[trio.SocketStream]

_CHUNK = 64 * 1024
_MAX_REASON = 200  # characters


class Hangup(Exception):  # noqa: N818 - what the other end did
    """The other end closed the connection or broke the protocol."""


class Conversation:
    """Messages over one connection. After any exception it is good for nothing but `close`."""

    def __init__(self, stream: trio.abc.Stream, role: type[h11.CLIENT] | type[h11.SERVER]) -> None:
        self._stream = stream
        self._http = h11.Connection(role)

    async def wait(self) -> None:
        """Waits for the first byte of the next message. Raises Hangup."""
        if not self._http.trailing_data[0]:
            self._http.receive_data(await self._read())

    async def receive(self) -> h11.Event:
        """The next part of the other end's message. Raises Hangup."""
        while True:
            try:
                event = self._http.next_event()
            except h11.RemoteProtocolError as error:
                raise Hangup(f"not HTTP: {str(error)[:_MAX_REASON]}") from None  # h11 quotes what it refuses
            if isinstance(event, h11.ConnectionClosed) or event is h11.PAUSED:
                raise Hangup("connection closed")
            if isinstance(event, h11.Event):
                return event
            self._http.receive_data(await self._read())

    async def send(self, head: h11.Request | h11.Response, body: bytes) -> None:
        """Sends one whole message. Raises Hangup, also if there is no sending it here (a body after HEAD)."""
        try:
            parts = [self._http.send(event) for event in (head, h11.Data(data=body), h11.EndOfMessage())]
        except h11.LocalProtocolError as error:
            raise Hangup(f"cannot be answered: {error}") from None
        try:
            await self._stream.send_all(b"".join(part for part in parts if part))
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            raise Hangup("connection lost") from None

    @property
    def heard_out(self) -> bool:
        """Whether the other end's message was read to its end."""
        return self._http.their_state in (h11.DONE, h11.MUST_CLOSE)

    def again(self) -> bool:
        """Readies the connection for another exchange; False if it has to be closed."""
        if self._http.our_state is not h11.DONE or self._http.their_state is not h11.DONE:
            return False
        self._http.start_next_cycle()
        return True

    async def attend(self, answer: Callable[[], Awaitable[bytes]]) -> bytes:
        """The result of `answer()`, which is cancelled if the other end leaves. Raises Hangup."""

        async def hangup() -> None:
            with contextlib.suppress(Hangup):
                self._http.receive_data(await self._read())
                await trio.sleep_forever()  # it asks ahead: that can wait

        result = await run_unless(answer, hangup)
        if result is None:
            raise Hangup("connection closed")
        return result

    async def drain(self, limit: int) -> None:
        """Throws away what still comes in, up to `limit` bytes. Raises Hangup at the end of it.

        A connection closed on unread bytes is reset, and the other end would lose our answer.
        """
        while limit > 0:
            limit -= len(await self._read())

    async def close(self) -> None:
        """Closes without ceremony; never waits for the other end."""
        await trio.aclose_forcefully(self._stream)

    async def _read(self) -> bytes:
        try:
            data = await self._stream.receive_some(_CHUNK)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            raise Hangup("connection lost") from None
        if not data:
            raise Hangup("connection closed")
        return bytes(data)
