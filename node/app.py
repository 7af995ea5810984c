"""One running node: every part of it put together, in one nursery, from start to end.

Start: identity and store (whose lock keeps a second process off the same data), then the member replays what
is stored, then the ports open, then gossip begins. Work begins once the node is level with a quorum: what it
would claim before that was decided long ago. End: SIGTERM or SIGINT drains the work (`node.work.drain`) and then
cancels everything, as a second one does at once; the store and the workers are closed behind a shield. An error that
nobody foresaw ends the part in which it is, and the part starts again (`node.system.supervision`); only an error of the
task that owns the replica, or of the store, ends the node.
"""

import os
import random
import secrets
from collections.abc import Mapping
from contextlib import AsyncExitStack, suppress
from functools import partial
from pathlib import Path

import structlog
import trio

from consensus.ledger.records.decisions import OutdatedError
from engine.backend.kernel_cache import name_cache_for_children
from node.blobs.bulk_data import BulkData
from node.blobs.checkpoint_messages import FIND_PATH, OFFER_PATH
from node.blobs.custody import Custodian
from node.blobs.messages import BLOB_PATH
from node.blobs.push_messages import KEEP_PATH, PIECE_PATH
from node.blobs.pushing import Pusher
from node.blobs.serving import blob_route
from node.config.identity import Identity, IdentityError, hold_key, load_identity
from node.config.swarm_file import RunOptions, SwarmConfig
from node.gossip.gossip import Gossip
from node.gossip.messages import SYNC_PATH
from node.member.anchors import compute_anchors
from node.member.member import Member
from node.member.verification import ParallelVerifier
from node.membership.address_exchange import AddressExchange
from node.membership.address_messages import ADDRESS_PATH
from node.membership.admission import Admission
from node.membership.contacts import Contacts, log_while_cut_off
from node.membership.dial_back import CONNECT_S, DIAL_BACK_PATH, DialBack
from node.membership.governance import Governance
from node.membership.joining import log_while
from node.membership.known_places import KnownPlaces
from node.membership.proposal_file import FILE_NAME as PROPOSALS_FILE
from node.membership.proposal_file import keep_motions, read_motions
from node.membership.proposals import Proposals
from node.play.canonical import find_canonical
from node.play.sessions import PROCESS, PlaySessions
from node.proofs.certificates import write_certificates
from node.proofs.faults import write_fault_proofs
from node.report.actions import NodeActions
from node.report.effect_log import EffectLog
from node.report.narration import PeerWatch, tell_effects
from node.report.source import NodeReport
from node.statesync.catchup import CatchUp
from node.statesync.pruning import prune_epochs
from node.statesync.serving import CHAIN_PATH, chain_route
from node.store import StoreError
from node.store.sqlite import SqliteStore
from node.system.child_log import ChildLog
from node.system.clock import SystemClock, wait_until_set
from node.system.device import CPU, count_cores, find_gpus, usable_memory_bytes
from node.system.files import clear_place
from node.system.service import keep_notified
from node.system.shutdown import end_on_signal, end_with_input
from node.system.supervision import RestartingSupervisor, run_vital
from node.transport.client import HttpTransport, find_second_instance
from node.transport.router import Router
from node.transport.server import PeerServer
from node.transport.tls import Credentials
from node.web.server import serve_local
from node.work.disk_guard import DiskGuard
from node.work.drain import Drain
from node.work.idle import IdleHook, run_command
from node.work.imports import Imports
from node.work.lifecycle import work_for_the_swarm
from node.work.limits import Limits
from node.work.memory_guard import MemoryGuard
from node.work.node_context import NodeWorkContext
from node.work.nominations import Nominations
from node.work.rates import Rates
from node.work.slots import SlotState, WorkerSlot, plan_slots
from node.work.watchdog import WatchedRunner
from node.work.worker import WORKER, WorkerProcess

_WRONG_ANCHOR = (
    "the anchor that swarm.toml has for this node is not its key's; before the first start of the swarm, write "
    "there what `ringrift-node id KEYFILE` prints; after it, run the key that belongs to the anchor"
)

_DRAIN_COMMAND_S = 10.0  # for the command at the end of a drain
_OWN_ADDRESS_S = 3.0  # for an answer at it

# Folders in that of the data.
_FAULTS = "faults"
_CERTIFICATES = "certificates"
_IDLE_LOG = "idle.log"

_FATAL = (StoreError, IdentityError, OutdatedError)  # errors that end the node, with one line for the person at it

_log = structlog.get_logger(__name__)


async def run_node(config: SwarmConfig, key_file: Path, data: Path, options: RunOptions) -> None:
    """Run the node of `key_file`, keeping everything in `data`, until `node.system.shutdown` says that it ends.

    Raise `IdentityError`, `StoreError`, `OutdatedError` or `ConfigError`, each with one line and the remedy.
    """
    identity = load_identity(key_file)
    data = data.absolute()  # children start in another working directory, since ours may be deleted
    name_cache_for_children()
    async with trio.open_nursery() as nursery:
        drain = Drain(options.drain_s)
        await nursery.start(end_on_signal, nursery.cancel_scope, drain.begin)
        nursery.start_soon(_end_when_drained, drain, options.drain_command, data, nursery.cancel_scope)
        if options.attended:
            nursery.start_soon(end_with_input, nursery.cancel_scope)
        await wait_until_set(SystemClock())
        await _run_parts(config, identity, key_file, data, options, drain=drain)


async def _end_when_drained(drain: Drain, command: str | None, data: Path, scope: trio.CancelScope) -> None:
    await drain.wait_until_done()
    if command is not None:
        with trio.move_on_after(_DRAIN_COMMAND_S):
            await run_command(command, ChildLog(data / _IDLE_LOG), "the node has drained")
    _log.info("ending")
    scope.cancel()


async def _run_parts(
    config: SwarmConfig, identity: Identity, key_file: Path, data: Path, options: RunOptions, *, drain: Drain
) -> None:
    data.mkdir(parents=True, exist_ok=True)
    earlier = None if config.earlier is None else config.earlier.digest
    store = SqliteStore(data, genesis=config.genesis.digest, member=identity.id, earlier=earlier)
    async with AsyncExitStack() as stack:
        stack.push_async_callback(store.aclose)
        stack.callback(os.close, hold_key(key_file))
        node = _Node(config, identity, store, data, options, drain=drain)
        stack.push_async_callback(node.close)
        async with trio.open_nursery() as nursery:
            await node.start(nursery)


class _Node:
    """The parts, and the order in which they start."""

    def __init__(
        self,
        config: SwarmConfig,
        identity: Identity,
        store: SqliteStore,
        data: Path,
        options: RunOptions,
        *,
        drain: Drain,
    ) -> None:
        seed = secrets.randbits(64)
        chance = random.Random(seed)
        _log.info("node", id=identity.text, swarm=config.genesis.digest.hex()[:16], seed=seed)
        self._data, self._options, self._identity = data, options, identity
        self._supervisor = RestartingSupervisor(fatal=_FATAL)
        self._ordering = _Ordering(config, identity, store, chance, self._supervisor)
        member = self._ordering.member
        self._peers = _Peers(
            config=config,
            ordering=self._ordering,
            data=data,
            options=options,
            chance=chance,
            supervisor=self._supervisor,
        )
        self._genesis, self._motions = config.genesis.digest, data / PROPOSALS_FILE
        remembered = read_motions(self._motions, self._genesis)
        self._proposals = Proposals(identity.id, lambda: member.replica.ledger, remembered)
        self._peers.places.address_book.follow_keys(self._proposals.earlier_keys)
        self._effects = EffectLog(self._peers.places.address_book.name)
        self._drain, self._limits = drain, Limits()
        self._work = _Work(
            self._ordering, self._peers, data, options, self._supervisor, drain=drain, limits=self._limits
        )
        collector = None if options.keep_blobs else self._peers.bulk.collector
        self._disk_guard = DiskGuard(self._limits, data, collector)

    async def start(self, nursery: trio.Nursery) -> None:
        """Start everything in `nursery`; return when the node serves and gossips."""
        report, member, context = self._report(), self._ordering.member, self._work.context
        run, data, http = self._supervisor.run, self._data, self._options.http
        nursery.start_soon(run, "observing rounds", context.run)
        nursery.start_soon(run, "effect log", self._effects.run, member.subscribe())
        nursery.start_soon(run, "proposals", self._proposals.run, member.subscribe())
        nursery.start_soon(run, "keeping proposals", keep_motions, self._motions, self._genesis, self._proposals)
        await self._ordering.start(nursery)
        self._narrate(nursery, report)
        await self._peers.serve(nursery)
        nursery.start_soon(run, "asking the own address", self._peers.ask_own_address)
        serve = partial(serve_local, report, http, data, self._actions(report), self._work.games)
        url = await nursery.start(run, "serving people", serve)
        nursery.start_soon(run, "games of people", self._work.games.run)
        self._peers.exchange(nursery, report, keep_blobs=self._options.keep_blobs)
        at_rest = partial(self._peers.is_at_rest, report)
        nursery.start_soon(run, "watching the disk", self._disk_guard.run, at_rest)
        nursery.start_soon(run, "watching memory", self._work.memory_guard.run)
        outside = partial(log_while, report.outside, "outside", "this node is a member now")
        nursery.start_soon(run, "membership log", outside, self._peers.contacts.tried)
        nursery.start_soon(run, "vote log", log_while, report.voteless, "no vote", "this node has a vote again")
        nursery.start_soon(run, "writing certificates", write_certificates, context, data / _CERTIFICATES)
        nursery.start_soon(run, "writing proofs", write_fault_proofs, context, self._ordering.store, data / _FAULTS)
        nursery.start_soon(run, "work", self._work.run, member, self._peers.gossip)
        unknown = partial(log_while, report.unknown, "unknown proposal", "this program knows all open proposals")
        nursery.start_soon(run, "proposal log", unknown)
        roles, slots = list(self._options.roles), len(self._work.slots)
        _log.info("running", peers_at=str(self._options.listen), page=url, roles=roles, slots=slots)
        nursery.start_soon(run, "service manager", keep_notified, lambda: report.readiness()[1])
        if reason := report.fragility():
            _log.info("one member can stop this swarm", reason=reason)

    def _narrate(self, nursery: trio.Nursery, report: NodeReport) -> None:
        """Log from now on what matters to whoever runs this node."""
        member, book = self._ordering.member, self._peers.places.address_book
        watch = PeerWatch(book.name, self._peers.gossip.statuses, report.quorum)
        nursery.start_soon(self._supervisor.run, "log of peers", watch.run)
        tell = partial(tell_effects, me=member.id, name_of=book.name)
        nursery.start_soon(self._supervisor.run, "log of the order", tell, member.subscribe())

    def _report(self) -> NodeReport:
        return NodeReport(
            me=self._identity.id,
            address_book=self._peers.places.address_book,
            member=self._ordering.member,
            gossip=self._peers.gossip,
            exchanges=self._peers.exchanges,
            dial_back=self._peers.dial_back,
            context=self._work.context,
            effects=self._effects,
            proposals=self._proposals,
            scrubber=self._peers.bulk.scrubber,
            archiver=self._peers.bulk.archiver,
            device=self._work.device,
            slots=self._work.slots,
            drain=self._drain,
            limits=self._limits,
            listen=self._options.listen,
            faults=self._data / _FAULTS,
            blob_path=self._peers.bulk.blobs.path,
            failures=lambda: self._supervisor.failures,
        )

    def _actions(self, report: NodeReport) -> NodeActions:
        address_book = self._peers.places.address_book
        governance = Governance(self._work.context, address_book, self._proposals, report.level)
        nominations = Nominations(self._work.context, report.level)
        imports = Imports(nominations, self._peers.bulk.blobs.add_file)
        return NodeActions(governance, nominations, imports, address_book, self._drain)

    async def close(self) -> None:
        """End the child processes and the connections."""
        with trio.CancelScope(shield=True):
            await self._work.aclose()
            await self._ordering.aclose()
            await self._peers.aclose()


class _Ordering:
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
        await nursery.start(partial(run_vital, "the order", self.member.run, expected=_FATAL))
        nursery.start_soon(self._supervisor.run, "anchors", compute_anchors, self.member, self.identity.key)

    async def aclose(self) -> None:
        """End the child processes that verify signatures."""
        await self._verifier.aclose()


class _Peers:
    """Connections to the other members: who is admitted, what is served, asked, fetched and forgotten."""

    def __init__(
        self,
        *,
        config: SwarmConfig,
        ordering: _Ordering,
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
        is_level, _ = report.level()
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


class _Work:
    """What the node does for the swarm and for people who play, and the child processes that do it."""

    def __init__(
        self,
        ordering: _Ordering,
        peers: _Peers,
        data: Path,
        options: RunOptions,
        supervisor: RestartingSupervisor,
        *,
        drain: Drain,
        limits: Limits,
    ) -> None:
        self._supervisor, self._drain, self._limits = supervisor, drain, limits
        self._options = options
        self._idle = None
        if options.idle_command is not None:
            self._idle = IdleHook(options.idle_command, options.idle_after_s, data / _IDLE_LOG)
        gpus = find_gpus()
        self.device = gpus[0].name if gpus else CPU
        self.context = NodeWorkContext(
            ordering.member,
            ordering.identity,
            roles=options.roles,
            blobs=peers.bulk.blobs,
            fetcher=peers.bulk.fetcher,
            directory=data,
            handing_over=(peers.bulk.handed_over, peers.bulk.transport),
        )
        self._custodian = Custodian(self.context, peers.bulk.blobs, peers.bulk.fetcher)
        self._pusher = Pusher(self.context, peers.bulk.blobs, peers.bulk.transport, peers.gossip.is_asked)
        with suppress(OSError):
            clear_place(data / "work")  # left by work that a crash ended
        kernels = ("--kernels", str(data / "kernels"))
        command = (*WORKER, *kernels)
        self._rates, longest_s = Rates(data / "rates.json"), self.context.genesis.settings.timing.claim_s

        def process(name: str, environment: Mapping[str, str]) -> WorkerProcess:
            return WorkerProcess(data / f"{name}.log", command, environment, drain.enough)

        def state(slot: WorkerSlot) -> SlotState:
            child = process(slot.file_name, slot.environment())
            return SlotState(slot, WatchedRunner(child, self._rates, longest_s), child)

        planned = plan_slots(gpus, count_cores(), usable_memory_bytes(), options.slots) if options.roles else ()
        self.slots = tuple(state(slot) for slot in planned)
        self.memory_guard = MemoryGuard(limits, self.slots, drain)
        self._check_worker = WatchedRunner(process("checker", {}), self._rates, longest_s)
        player = WorkerProcess(data / "play.log", (*PROCESS, *kernels))
        self.games = PlaySessions(player, partial(find_canonical, self.context))

    async def run(self, member: Member, gossip: Gossip) -> None:
        """Work, vote and seal until cancelled."""
        await work_for_the_swarm(
            self.context,
            member,
            gossip,
            slots=self.slots,
            checker=self._check_worker,
            device=self.device,
            rates=self._rates,
            life_s=self._options.life_s,
            cost=self._options.cost,
            idle=self._idle,
            custody=(self._custodian, self._pusher),
            drain=self._drain,
            limits=self._limits,
            supervisor=self._supervisor,
        )

    async def aclose(self) -> None:
        """End the child processes."""
        for slot in self.slots:
            await slot.runner.aclose()
        await self._check_worker.aclose()
        await self.games.aclose()
