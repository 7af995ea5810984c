"""The part of a node that has to do with the others: who is admitted, served, asked, and what is fetched from them."""

import random
from functools import partial
from pathlib import Path

import structlog
import trio

from node.app.ordering import Ordering
from node.blobs.bulk_data import BulkData
from node.blobs.checkpoint_messages import FIND_PATH, OFFER_PATH
from node.blobs.messages import BLOB_PATH
from node.blobs.push_messages import KEEP_PATH, PIECE_PATH
from node.blobs.serving import blob_route
from node.config.swarm_file import RunOptions, SwarmConfig
from node.gossip.gossip import Gossip
from node.gossip.messages import SYNC_PATH
from node.membership.address_exchange import AddressExchange
from node.membership.address_messages import ADDRESS_PATH
from node.membership.admission import Admission
from node.membership.contacts import Contacts, log_while_cut_off
from node.membership.dial_back import CONNECT_S, DIAL_BACK_PATH, DialBack
from node.membership.known_places import KnownPlaces
from node.report.source import NodeReport
from node.statesync.catchup import CatchUp
from node.statesync.pruning import prune_epochs
from node.statesync.serving import CHAIN_PATH, chain_route
from node.system.supervision import RestartingSupervisor
from node.transport.client import HttpTransport, find_second_instance
from node.transport.router import Router
from node.transport.server import PeerServer
from node.transport.tls import Credentials

_OWN_ADDRESS_S = 3.0  # for an answer at it

_log = structlog.get_logger(__name__)


class Peers:
    """Connections to the other members: who is admitted, what is served, asked, fetched and forgotten."""

    def __init__(
        self,
        *,
        config: SwarmConfig,
        ordering: Ordering,
        data: Path,
        options: RunOptions,
        chance: random.Random,
        supervisor: RestartingSupervisor,
    ) -> None:
        self._config, self._options, self._supervisor = config, options, supervisor
        self._chance, self._store, self._member = chance, ordering.store, ordering.member
        member = ordering.member
        self.places = KnownPlaces(config, ordering.identity, member=member, data=data, options=options, chance=chance)
        self._credentials = Credentials(ordering.identity, [])
        self._transport = HttpTransport(self._credentials, self.places.whereabouts)
        self.exchanges = self._transport.exchanges
        self.gossip = Gossip(member, self._transport, chance, supervisor=supervisor)
        self.bulk = BulkData(
            member.id,
            data,
            ledger=lambda: member.replica.ledger,
            transport=self._transport,
            chance=chance,
            archive=options.archive,
            trains="train" in options.roles,
        )
        self._exchange = AddressExchange(
            whereabouts=self.places.whereabouts,
            peers=lambda: self.gossip.peers,
            transport=self._transport,
            chance=chance,
        )
        self.dial_back = DialBack(
            whereabouts=self.places.whereabouts,
            peers=lambda: self.gossip.peers,
            transport=self._transport,
            try_places=partial(self._transport.try_places, timeout_s=CONNECT_S),
            chance=chance,
        )
        self.contacts = Contacts(
            me=member.id,
            whereabouts=self.places.whereabouts,
            gossip=self.gossip,
            is_outside=self._is_outside,
        )
        self._router = self._make_router()
        self._admission = self._make_admission()
        self._catchup = self._make_catchup()

    def _is_outside(self) -> bool:
        member = self._member
        return member.removed_by is not None or member.id not in self.places.address_book.roster

    def _make_router(self) -> Router:
        missed = None if self.bulk.archiver is None else self.bulk.archiver.observe_missed
        routes = {
            SYNC_PATH: self.gossip.route(),
            ADDRESS_PATH: self._exchange.route(),
            DIAL_BACK_PATH: self.dial_back.route(),
            BLOB_PATH: blob_route(self.bulk.blobs, self._store, missed),
            KEEP_PATH: self.bulk.incoming.keep_route(),
            PIECE_PATH: self.bulk.incoming.piece_route(),
            OFFER_PATH: self.bulk.handed_over.offer_route(),
            FIND_PATH: self.bulk.handed_over.find_route(),
            CHAIN_PATH: chain_route(self._store),
        }
        return Router([], routes)

    def _make_admission(self) -> Admission:
        return Admission(
            me=self._member.id,
            whereabouts=self.places.whereabouts,
            credentials=self._credentials,
            router=self._router,
            transport=self._transport,
            fetcher=self.bulk.fetcher,
        )

    def _make_catchup(self) -> CatchUp:
        return CatchUp(
            genesis=self._config.genesis,
            store=self._store,
            target=self._member,
            peers=self.contacts.peers,
            transport=self._transport,
            blobs=self.bulk.blobs,
            fetcher=self.bulk.fetcher,
            chance=self._chance,
            entered=self._admit_new_roster,
        )

    async def serve(self, nursery: trio.Nursery) -> None:
        """Admit the members of the roster and serve them. Raise ConfigError if the address cannot be bound."""
        await self._admission.admit_roster()
        run = self._supervisor.run
        nursery.start_soon(run, "admission", self._admission.run, self._member.subscribe())
        nursery.start_soon(run, "TLS certificates", self._credentials.keep_renewed)
        server = PeerServer(self._credentials.server, self._router, observe=self.places.whereabouts.observe_connection)
        listen = self._options.listen
        try:
            await nursery.start(run, "serving peers", server.serve, listen.host, listen.port)
        except OSError as error:
            raise self._config.listen_error(self._member.id, listen, error) from None

    async def ask_own_address(self) -> None:
        """Ask where members reach this node, before it makes an event: another process may answer with its key.

        Raise IdentityError if one does.
        """
        me = self._member.id
        for address in self.places.address_book.named(me):
            if await find_second_instance(self._credentials, me, address, timeout_s=_OWN_ADDRESS_S):
                self._member.second_instance.observe_other(f"it answers at {address}")
        self._member.observe_own_address()

    def exchange(self, nursery: trio.Nursery, report: NodeReport, *, keep_blobs: bool) -> None:
        """Start to ask the others, and to forget what is needed no more."""
        run = self._supervisor.run
        nursery.start_soon(run, "gossip", self.gossip.run)
        nursery.start_soon(run, "exchanging addresses", self._exchange.run)
        nursery.start_soon(run, "keeping addresses", self.places.keep)
        nursery.start_soon(run, "asking for connections back", self.dial_back.run)
        nursery.start_soon(run, "contact log", log_while_cut_off, self.contacts, self.gossip.is_cut_off)
        nursery.start_soon(run, "catching up", self._catchup.run, self.contacts.is_lost)
        nursery.start_soon(run, "pruning", prune_epochs, self._store, self._options.keep_epochs)
        nursery.start_soon(run, "checking blobs", self.bulk.scrubber.run)
        if self.bulk.archiver is not None:
            nursery.start_soon(run, "archiving", self.bulk.archiver.run)
        if not keep_blobs:
            nursery.start_soon(run, "deleting", self.bulk.collector.run, lambda: self.is_at_rest(report))

    def is_at_rest(self, report: NodeReport) -> bool:
        """Return whether the ledger here is the swarm's, and none of our transactions waits."""
        is_level, _ = report.readiness.level()
        return is_level and self._member.status().pending == 0

    async def _admit_new_roster(self) -> None:
        try:
            await self._admission.admit_roster()
        except OSError as error:  # a full descriptor table, say; the next round tries again
            _log.warning("new members not admitted yet", reason=str(error))

    async def aclose(self) -> None:
        """Close the connections."""
        await self.bulk.aclose()
        await self._transport.aclose()
