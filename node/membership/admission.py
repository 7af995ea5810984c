"""Keeps connections in step with the roster: who is admitted, and who is asked."""

from collections.abc import Iterable
from typing import Protocol

import structlog
import trio

from consensus.keys import MemberId
from consensus.replica import RoundEffects
from consensus.roster import Roster
from node.blobs.fetching import BlobFetcher
from node.membership.whereabouts import Whereabouts
from node.transport.router import Router

_LOOK_S = 2.0

_log = structlog.get_logger(__name__)


class PeerCredentials(Protocol):
    """What decides whose connections are accepted, such as `node.transport.tls.Credentials`."""

    def set_members(self, members: Iterable[MemberId], /) -> None:
        """Accept connections from these members and no one else. Raise OSError and change nothing."""
        ...


class AddressedTransport(Protocol):
    """What keeps connections to places, such as `node.transport.client.HttpTransport`."""

    async def close_stale(self) -> None:
        """Close the idle connections to places where members are not asked any more."""
        ...


class Admission:
    """The connections of one node to the members of its epoch.

    Strangers are refused in the TLS handshake. Former members get status 403, except for the chain of records: a node
    that was behind at the close learns from it that it was voted out.
    """

    def __init__(
        self,
        *,
        me: MemberId,
        whereabouts: Whereabouts,
        credentials: PeerCredentials,
        router: Router,
        transport: AddressedTransport,
        fetcher: BlobFetcher,
    ) -> None:
        self._me = me
        self._whereabouts, self._address_book = whereabouts, whereabouts.address_book
        self._credentials = credentials
        self._router = router
        self._transport = transport
        self._fetcher = fetcher
        self._admitted: Roster | None = None

    async def run(self, rounds: trio.MemoryReceiveChannel[RoundEffects]) -> None:
        """Follow the roster, after each round and every few seconds: a node that was away jumps without rounds."""
        while True:
            with trio.move_on_after(_LOOK_S):
                await rounds.receive()
            if self._admitted == self._address_book.roster:
                continue
            try:
                await self.admit_roster()
            except OSError as error:  # TLS certificates go through a file
                _log.warning("new members not admitted yet", reason=str(error))
                await trio.sleep(_LOOK_S)

    async def admit_roster(self) -> None:
        """Admit the members of the present roster, and no one else. Raise OSError and change nothing."""
        roster, former = self._address_book.roster, self._address_book.former
        self._credentials.set_members((*roster.ids, *former))
        self._router.set_members(roster.ids, former)
        self._fetcher.set_peers({*roster.ids, *self._address_book.sponsors} - {self._me})
        self._whereabouts.observe_roster()
        await self._transport.close_stale()
        self._admitted = roster
