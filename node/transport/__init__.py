"""Requests between members: HTTP/1.1 over mutual TLS, and a network in memory with the same rules."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from consensus.keys import MemberId

Handler = Callable[[MemberId, bytes], Awaitable[bytes]]  # (asking member, body of the request) -> body of the answer

MAX_ANSWER_BYTES = 8 * 1024 * 1024  # no answer is larger on any path


class AskError(Exception):
    """A request that got no usable answer; the message is one line."""


class Unreachable(AskError):  # noqa: N818 - says what the peer is
    """No connection, no answer in time, or another node than it should be."""


class Refused(AskError):  # noqa: N818
    """The peer refused to answer; `status` is an HTTP status."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(f"refused with {status}: {reason}")
        self.status = status


class BadAnswer(AskError):  # noqa: N818
    """The peer answered something that no correct node answers."""


@dataclass(frozen=True)
class Candidate:
    """An address ("host:port") at which a member may be reached.

    `source` is the member on whose word alone it rests; None if it was agreed on, named by a person, or reached before.
    """

    address: str
    source: MemberId | None = None


class Places(Protocol):
    """Where members may be reached, such as `node.membership.whereabouts.Whereabouts`."""

    def candidates(self, peer: MemberId) -> Sequence[Candidate]:
        """Return where to try a member, the most likely place first; nothing if no address is known."""
        ...

    def may_try(self, candidate: Candidate) -> bool:
        """Return whether a connection may be opened there now; if so, it is counted for the source."""
        ...

    def is_fit(self, host: str) -> bool:
        """Return whether a member whom we know by hearsay can be at a host name or a numeric address."""
        ...

    def observe_reached(self, peer: MemberId, address: str) -> None:
        """Take in that the member has just answered there."""
        ...


class Transport(Protocol):
    """The asking side. The answering side is a `node.transport.router.Router`."""

    async def ask(
        self, peer: MemberId, path: str, body: bytes, *, timeout_s: float, max_bytes: int = MAX_ANSWER_BYTES
    ) -> bytes:
        """Send `body` to a member and return its answer, of at most `max_bytes`.

        Raise AskError, after `timeout_s` at the latest.
        """
        ...
