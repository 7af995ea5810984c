"""What a person can make the node do: governance, nominations and imports, answered in the shapes of `node.api`."""

from collections.abc import Mapping
from typing import Any

import trio

from node.api.drains import DrainInfo
from node.api.nominations import NominationInfo
from node.api.proposals import ProposalInfo
from node.membership.address_book import AddressBook
from node.membership.governance import Governance, GovernanceError
from node.membership.proposals import Motion
from node.report.membership import proposal
from node.work.drain import Drain
from node.work.imports import Imports
from node.work.nominations import NominationError, Nominations


class NodeActions:
    """The `node.web.control.Actions` of a running node."""

    def __init__(
        self,
        governance: Governance,
        nominations: Nominations,
        imports: Imports,
        address_book: AddressBook,
        drain: Drain,
    ) -> None:
        self._governance = governance
        self._nominations = nominations
        self._imports = imports
        self._address_book = address_book
        self._drain = drain

    async def propose(self, request: Mapping[str, Any]) -> ProposalInfo:
        """Propose a change as `Governance.propose` does, and return the proposal. Raise GovernanceError."""
        return self._info(await self._governance.propose(request))

    async def vote(self, beginning: str, *, approve: bool) -> ProposalInfo:
        """Vote as `Governance.vote` does, and return the proposal. Raise GovernanceError."""
        return self._info(await self._governance.vote(beginning, approve=approve))

    async def nominate(self, beginning: str, configuration: str | None) -> NominationInfo:
        """Nominate an earlier model as `Nominations.nominate` does. Raise GovernanceError."""
        try:
            return await self._nominations.nominate(beginning, configuration)
        except NominationError as error:
            raise GovernanceError(error.status, str(error)) from None

    async def import_model(self, request: Mapping[str, Any]) -> NominationInfo:
        """Nominate a model from elsewhere as `Imports.nominate` does. Raise GovernanceError."""
        try:
            return await self._imports.nominate(request)
        except NominationError as error:
            raise GovernanceError(error.status, str(error)) from None

    async def drain(self) -> DrainInfo:
        """End the node's work, and then the node; return within which time."""
        self._drain.begin()
        await trio.lowlevel.checkpoint()
        return {"bound_s": self._drain.bound_s}

    def _info(self, motion: Motion) -> ProposalInfo:
        return proposal(motion, self._governance.ledger, self._address_book)
