"""The part of a node that orders: the member, its store, and the processes that verify signatures."""

import random
from functools import partial

import structlog
import trio

from consensus.ledger.records.decisions import OutdatedError
from node.config.identity import Identity, IdentityError
from node.config.swarm_file import SwarmConfig
from node.member.anchors import compute_anchors
from node.member.member import Member
from node.member.verification import ParallelVerifier
from node.store import StoreError
from node.store.sqlite import SqliteStore
from node.system.clock import SystemClock
from node.system.supervision import RestartingSupervisor, run_vital

_WRONG_ANCHOR = (
    "the anchor that swarm.toml has for this node is not its key's; before the first start of the swarm, write "
    "there what `ringrift-node id KEYFILE` prints; after it, run the key that belongs to the anchor"
)

FATAL = (StoreError, IdentityError, OutdatedError)  # errors that end the node, with one line for the person at it

_log = structlog.get_logger(__name__)


class Ordering:
    """The member, with what it stores its events in and verifies those of others with."""

    def __init__(
        self,
        config: SwarmConfig,
        identity: Identity,
        store: SqliteStore,
        chance: random.Random,
        supervisor: RestartingSupervisor,
    ) -> None:
        self.store, self.identity, self._supervisor = store, identity, supervisor
        self._verifier = ParallelVerifier()
        self.member = Member(
            genesis=config.genesis,
            identity=identity,
            store=store,
            verifier=self._verifier,
            clock=SystemClock(),
            chance=chance,
            asks_own_address=True,
            may_be_copy=store.may_be_copy,
        )
        founder = config.find(identity.id)
        if founder is not None and founder.anchor is not None and not self.member.replica.can_reveal:
            _log.warning("adds nothing to seeds", reason=_WRONG_ANCHOR)

    async def start(self, nursery: trio.Nursery) -> None:
        """Start the member; return when what is stored has been replayed."""
        await nursery.start(partial(run_vital, "the order", self.member.run, expected=FATAL))
        nursery.start_soon(self._supervisor.run, "anchors", compute_anchors, self.member, self.identity.key)

    async def aclose(self) -> None:
        """End the child processes that verify signatures."""
        await self._verifier.aclose()
