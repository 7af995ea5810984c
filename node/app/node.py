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
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path

import structlog
import trio

from engine.backend.kernel_cache import name_cache_for_children
from node.app.ordering import FATAL, Ordering
from node.app.peers import Peers
from node.app.work import IDLE_LOG, Work
from node.config.identity import Identity, hold_key, load_identity
from node.config.swarm_file import RunOptions, SwarmConfig
from node.membership.governance import Governance
from node.membership.joining import log_while
from node.membership.proposal_file import FILE_NAME as PROPOSALS_FILE
from node.membership.proposal_file import keep_motions, read_motions
from node.membership.proposals import Proposals
from node.proofs.certificates import write_certificates
from node.proofs.faults import write_fault_proofs
from node.report.actions import NodeActions
from node.report.effect_log import EffectLog
from node.report.narration import PeerWatch, tell_effects
from node.report.source import NodeReport
from node.store.sqlite import SqliteStore
from node.system.child_log import ChildLog
from node.system.clock import SystemClock, wait_until_set
from node.system.service import keep_notified
from node.system.shutdown import end_on_signal, end_with_input
from node.system.supervision import RestartingSupervisor
from node.web.server import serve_local
from node.work.disk_guard import DiskGuard
from node.work.drain import Drain
from node.work.idle import run_command
from node.work.imports import Imports
from node.work.limits import WorkLimits
from node.work.nominations import Nominations

_DRAIN_COMMAND_S = 10.0  # for the command at the end of a drain

# Folders in that of the data.
_FAULTS = "faults"
_CERTIFICATES = "certificates"

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
            await run_command(command, ChildLog(data / IDLE_LOG), "the node has drained")
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
        self._supervisor = RestartingSupervisor(fatal=FATAL)
        self._ordering = Ordering(config, identity, store, chance, self._supervisor)
        member = self._ordering.member
        self._peers = Peers(
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
        self._drain, self._limits = drain, WorkLimits()
        self._work = Work(
            self._ordering, self._peers, data, options, self._supervisor, drain=drain, limits=self._limits
        )
        collector = None if options.keep_blobs else self._peers.bulk.collector
        self._disk_guard = DiskGuard(self._limits, data, collector)

    async def start(self, nursery: trio.Nursery) -> None:
        """Start everything in `nursery`; return when the node serves and gossips."""
        report, member, context = self._report(), self._ordering.member, self._work.context
        readiness = report.readiness
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
        outside = partial(log_while, readiness.outside, "outside", "this node is a member now")
        nursery.start_soon(run, "membership log", outside, self._peers.contacts.tried)
        nursery.start_soon(run, "vote log", log_while, readiness.voteless, "no vote", "this node has a vote again")
        nursery.start_soon(run, "writing certificates", write_certificates, context, data / _CERTIFICATES)
        nursery.start_soon(run, "writing proofs", write_fault_proofs, context, self._ordering.store, data / _FAULTS)
        nursery.start_soon(run, "work", self._work.run, member, self._peers.gossip)
        unknown = partial(log_while, readiness.unknown, "unknown proposal", "this program knows all open proposals")
        nursery.start_soon(run, "proposal log", unknown)
        roles, slots = list(self._options.roles), len(self._work.slots)
        _log.info("running", peers_at=str(self._options.listen), page=url, roles=roles, slots=slots)
        nursery.start_soon(run, "service manager", keep_notified, lambda: readiness.ready()[1])
        if reason := readiness.fragility():
            _log.info("one member can stop this swarm", reason=reason)

    def _narrate(self, nursery: trio.Nursery, report: NodeReport) -> None:
        """Log from now on what matters to whoever runs this node."""
        member, book = self._ordering.member, self._peers.places.address_book
        watch = PeerWatch(book.name, self._peers.gossip.statuses, report.readiness.quorum)
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
        governance = Governance(self._work.context, address_book, self._proposals, report.readiness.level)
        nominations = Nominations(self._work.context, report.readiness.level)
        imports = Imports(nominations, self._peers.bulk.blobs.add_file)
        return NodeActions(governance, nominations, imports, address_book, self._drain)

    async def close(self) -> None:
        """End the child processes and the connections."""
        with trio.CancelScope(shield=True):
            await self._work.aclose()
            await self._ordering.aclose()
            await self._peers.aclose()
