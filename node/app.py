"""One running node: every part of it put together, in one nursery, from start to end.

Start: identity and store (whose lock keeps a second process off the same data), then the member replays what
is stored, then the ports open, then gossip begins. Work begins once the node is level with a quorum: what it
would claim before that was decided long ago. End: SIGTERM or SIGINT cancels everything; the store and the
workers are closed behind a shield.
"""

import os
import random
import secrets
import shutil
from collections.abc import Iterable
from contextlib import AsyncExitStack
from pathlib import Path

import structlog
import trio

from node.blobs.collection import Collector
from node.blobs.exchange import BLOB_PATH, BlobFetcher, blob_route
from node.blobs.files import FileBlobs
from node.config.identity import Identity, hold_key, load_identity
from node.config.swarm_file import RunOptions, SwarmConfig
from node.gossip.gossip import Gossip
from node.gossip.messages import SYNC_PATH
from node.gossip.peers import Peer
from node.member.anchors import compute_anchors
from node.member.member import Member
from node.member.verification import ParallelVerifier
from node.membership.address_book import AddressBook
from node.membership.admission import Admission
from node.membership.governance import Governance
from node.membership.joining import tell_while_outside
from node.membership.proposals import Proposals
from node.proofs.certificates import keep_certificates
from node.proofs.faults import keep_faults
from node.report.actions import NodeActions
from node.report.effect_log import EffectLog
from node.report.source import NodeReport
from node.statesync.catchup import CatchUp
from node.statesync.pruning import follow_epochs
from node.statesync.serving import CHAIN_PATH, chain_route
from node.store.sqlite import SqliteStore
from node.system.clock import SystemClock
from node.system.device import device_name
from node.system.shutdown import end_on_signal, end_with_input
from node.transport.client import HttpTransport
from node.transport.router import Router
from node.transport.server import PeerServer
from node.transport.tls import Credentials
from node.web.server import serve_local
from node.work.lifecycle import work_for_the_swarm
from node.work.node_context import NodeWorkContext
from node.work.worker import WorkerProcess

_WRONG_ANCHOR = (
    "the anchor that swarm.toml has for this node is not its key's; before the first start of the swarm, write "
    "there what `ringrift-node id KEYFILE` prints; after it, run the key that belongs to the anchor"
)

FAULTS = "faults"  # the folder of their proofs, in that of the data

_log = structlog.get_logger(__name__)


async def run_node(config: SwarmConfig, key_file: Path, data: Path, options: RunOptions) -> None:
    """Run the node of `key_file`, keeping everything in `data`, until `node.system.shutdown` says that it ends.

    Raises `IdentityError`, `StoreError` or `ConfigError`, each with one line and the remedy.
    """
    identity = load_identity(key_file)
    data.mkdir(parents=True, exist_ok=True)
    store = SqliteStore(data, genesis=config.genesis.digest, member=identity.id)
    async with AsyncExitStack() as stack:
        stack.push_async_callback(store.close)
        stack.callback(os.close, hold_key(key_file))
        node = _Node(config, identity, store, data, options)
        stack.push_async_callback(node.close)
        async with trio.open_nursery() as nursery:
            await nursery.start(end_on_signal, nursery.cancel_scope)
            if options.attended:
                nursery.start_soon(end_with_input, nursery.cancel_scope)
            await node.start(nursery)


class _Node:
    """The parts, and the order in which they start."""

    def __init__(
        self, config: SwarmConfig, identity: Identity, store: SqliteStore, data: Path, options: RunOptions
    ) -> None:
        seed = secrets.randbits(64)
        chance = random.Random(seed)
        _log.info("node", id=identity.text, swarm=config.genesis.digest.hex()[:16], seed=seed)
        genesis = config.genesis
        self._config, self._options, self._data, self._identity = config, options, data, identity
        self._credentials = Credentials(identity, [])
        self._transport = HttpTransport(self._credentials, {})
        self._store = store
        self._verifier = ParallelVerifier()
        self._member = Member(
            genesis=genesis,
            identity=identity,
            store=store,
            verifier=self._verifier,
            clock=SystemClock(),
            chance=chance,
        )
        founder = config.find(identity.id)
        if founder is not None and founder.anchor is not None and not self._member.replica.reveals:
            _log.warning("adds nothing to seeds", reason=_WRONG_ANCHOR)
        self._gossip = Gossip(self._member, self._transport, chance)
        self._blobs = FileBlobs(data / "blobs")
        fetcher = BlobFetcher(self._blobs, self._transport, [], chance)
        self._collector = Collector(lambda: self._member.replica.ledger, store, self._blobs, fetcher, data / "models")
        self._guides = {member: Peer(member) for member, _ in options.peers if member != identity.id}
        named = {member: str(address) for member, address in options.peers}
        self._address_book = AddressBook(
            config, lambda: self._member.replica.ledger.roster, named, lambda: self._member.replica.ledger.former
        )
        self._router = Router(
            [],
            {
                SYNC_PATH: self._gossip.route(),
                BLOB_PATH: blob_route(self._blobs),
                CHAIN_PATH: chain_route(store),
            },
        )
        self._admission = Admission(
            me=identity.id,
            address_book=self._address_book,
            credentials=self._credentials,
            router=self._router,
            transport=self._transport,
            fetcher=fetcher,
        )
        self._catchup = CatchUp(
            genesis=genesis,
            store=store,
            target=self._member,
            peers=self._teachers,
            transport=self._transport,
            blobs=self._blobs,
            fetcher=fetcher,
            chance=chance,
            entered=self._admit_new_roster,
        )
        self._proposals = Proposals(identity.id, lambda: self._member.replica.ledger)
        self._effects = EffectLog(self._address_book.name)
        self._context = NodeWorkContext(
            self._member, identity, roles=options.roles, blobs=self._blobs, fetcher=fetcher, directory=data
        )
        shutil.rmtree(data / "work", ignore_errors=True)  # left by work that a crash ended
        self._worker = WorkerProcess(data / "worker.log")
        self._checker = WorkerProcess(data / "checker.log")

    async def start(self, nursery: trio.Nursery) -> None:
        """Start everything in `nursery`; returns when the node serves and gossips."""
        device = device_name()
        report = NodeReport(
            me=self._identity.id,
            address_book=self._address_book,
            member=self._member,
            gossip=self._gossip,
            context=self._context,
            effects=self._effects,
            proposals=self._proposals,
            device=device,
            listen=self._options.listen,
            faults=self._data / FAULTS,
        )
        governance = Governance(self._context, self._address_book, self._proposals, report.readiness)
        actions = NodeActions(governance, self._address_book)
        nursery.start_soon(self._context.run)
        nursery.start_soon(self._effects.run, self._member.subscribe())
        nursery.start_soon(self._proposals.follow, self._member.subscribe())
        await nursery.start(self._member.run)
        await self._serve_peers(nursery)
        url = await nursery.start(serve_local, report, self._options.http, self._data, actions)
        nursery.start_soon(self._gossip.run)
        nursery.start_soon(self._catchup.run, lambda: bool(report.outside()) or self._gossip.is_stranded())
        nursery.start_soon(follow_epochs, self._store, self._blobs, self._options.keep_epochs)
        if not self._options.keep_blobs:
            nursery.start_soon(self._collector.run, lambda: self._at_rest(report))
        nursery.start_soon(compute_anchors, self._member, self._identity.key)
        nursery.start_soon(self._credentials.keep_renewed)
        nursery.start_soon(tell_while_outside, report.outside)
        nursery.start_soon(keep_certificates, self._context, self._data / "certificates")
        nursery.start_soon(keep_faults, self._context, self._store, self._data / FAULTS)
        nursery.start_soon(
            work_for_the_swarm,
            self._context,
            self._member,
            self._gossip,
            self._worker,
            self._checker,
            device,
        )
        _log.info("running", peers_at=str(self._options.listen), page=url, roles=list(self._options.roles))

    def _at_rest(self, report: NodeReport) -> bool:
        ready, _ = report.readiness()
        return ready and self._member.status().pending == 0

    def _teachers(self) -> Iterable[Peer]:
        """Whom to ask for later epochs: the members of ours, and whoever a person named."""
        return (self._guides | self._gossip.peers).values()

    async def _admit_new_roster(self) -> None:
        try:
            await self._admission.adjust()
        except OSError as error:  # TLS certificates go through a file; the next round tries again
            _log.warning("new members not admitted yet", reason=str(error))

    async def close(self) -> None:
        """End the child processes and the connections."""
        with trio.CancelScope(shield=True):
            await self._worker.aclose()
            await self._checker.aclose()
            await self._verifier.aclose()
            await self._transport.close()

    async def _serve_peers(self, nursery: trio.Nursery) -> None:
        await self._admission.adjust()
        nursery.start_soon(self._admission.follow, self._member.subscribe())
        server = PeerServer(self._credentials.server, self._router)
        listen = self._options.listen
        try:
            await nursery.start(server.serve, listen.host, listen.port)
        except OSError as error:
            raise self._config.listen_error(self._identity.id, listen, error) from None
