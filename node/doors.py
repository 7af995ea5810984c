"""Keeps in step with the roster: who is admitted, who is asked, and where."""

from collections.abc import AsyncIterable

import structlog
import trio

from consensus.keys import MemberId
from consensus.replica import RoundEffects
from consensus.roster import Roster
from node.blobs.exchange import BlobFetcher
from node.directory import Directory
from node.tls import Credentials
from node.transport.client import HttpTransport
from node.transport.reception import Reception

_AGAIN_S = 5.0

_log = structlog.get_logger(__name__)


class Doors:
    """The connections of one node to the members of its epoch, whoever they are.

    Members that are gone are turned away: in the TLS handshake, and with 403 on connections that are open.
    """

    def __init__(
        self, me: MemberId, directory: Directory, credentials: Credentials, reception: Reception,
        transport: HttpTransport, fetcher: BlobFetcher,
    ) -> None:  # fmt: skip
        self._me = me
        self._directory = directory
        self._credentials = credentials
        self._reception = reception
        self._transport = transport
        self._fetcher = fetcher
        self._open_to: Roster | None = None

    async def follow(self, rounds: AsyncIterable[RoundEffects]) -> None:
        """Looks at the roster after every round."""
        async for _ in rounds:
            while self._open_to != self._directory.roster:
                try:
                    await self.adjust()
                except OSError as error:  # TLS certificates go through a file
                    _log.warning("new members not admitted yet", reason=str(error))
                    await trio.sleep(_AGAIN_S)

    async def adjust(self) -> None:
        """Opens to the members of the present roster, and to no one else. Raises OSError with all as it was."""
        roster = self._directory.roster
        self._credentials.set_members(roster.ids)
        self._reception.set_members(roster.ids)
        self._fetcher.set_peers(member for member in roster.ids if member != self._me)
        await self._transport.set_addresses(self._directory.addresses())
        self._open_to = roster
