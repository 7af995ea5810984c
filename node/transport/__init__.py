"""The seam between nodes: ask a member something, answer what members ask."""

from collections.abc import Awaitable, Callable
from typing import Protocol

Handler = Callable[[bytes, bytes], Awaitable[bytes]]  # (id of the asking member, body) -> body of the answer

MAX_ANSWER = 8 * 1024 * 1024  # bytes; no answer is larger on any path


class AskError(Exception):
    """A question that got no usable answer; the message is one line."""


class Unreachable(AskError):  # noqa: N818 - says what the peer is
    """No connection, no answer in time, or not the peer it should be."""


class Refused(AskError):  # noqa: N818
    """The peer answered that it will not; `status` is an HTTP status."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(f"refused with {status}: {reason}")
        self.status = status


class BadAnswer(AskError):  # noqa: N818
    """The peer answered something that no correct node answers."""


class Transport(Protocol):
    """The asking side; `node.transport.router.Reception` is the answering side."""

    async def ask(self, peer: bytes, path: str, body: bytes, *, seconds: float, limit: int = MAX_ANSWER) -> bytes:
        """Sends `body` to the member `peer` and returns its answer, of at most `limit` bytes.

        Raises AskError, after `seconds` at the latest.
        """
        ...
