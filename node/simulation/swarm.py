"""A swarm of simulated machines, which can be crashed, restarted, moved and inspected."""

import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

import trio

from consensus.genesis import Genesis, make_genesis
from consensus.keys import MemberId
from consensus.preimages import Preimages
from consensus.replica import RoundEffects
from consensus.roster import RosterMember
from consensus.settings import Settings
from node.blobs.fetching import BlobFetcher
from node.blobs.incoming import IncomingBlobs
from node.blobs.memory import MemoryBlobs
from node.blobs.messages import BLOB_PATH
from node.blobs.push_messages import KEEP_PATH, PIECE_PATH
from node.blobs.serving import blob_route
from node.config.identity import Identity
from node.gossip.gossip import Gossip
from node.gossip.messages import SYNC_PATH
from node.gossip.rhythm import Rhythm
from node.member.member import Member
from node.member.timing import CreationTiming
from node.member.verification import CachingVerifier
from node.membership.address_book import AddressBook
from node.membership.address_exchange import AddressExchange
from node.membership.address_file import keep
from node.membership.address_messages import ADDRESS_PATH
from node.membership.admission import Admission
from node.membership.contacts import Contacts
from node.membership.whereabouts import RememberedPlace, Whereabouts
from node.simulation.addressing import Addressing, NoCredentials
from node.simulation.byzantine.attack import Attack
from node.simulation.machine import Instance, MemberFactory, SimulatedNode
from node.statesync.catchup import CatchUp
from node.statesync.pruning import prune_epochs
from node.statesync.serving import CHAIN_PATH, chain_route
from node.store.memory import MemoryDisk, MemoryStore, first_round
from node.system.clock import SimulatedClock
from node.transport.memory import Conditions, Network
from node.transport.router import Router

__all__ = ["SimulatedNode", "SimulatedSwarm"]

RoundObserver = Callable[[SimulatedNode, RoundEffects], None]

RESTART_S = 1.0
"""Seconds after which a node that stopped by itself is started again, as a machine's supervisor would."""


class SimulatedSwarm:
    """`count` nodes that found a swarm. All randomness comes from `seed`; time is trio's."""

    def __init__(
        self,
        count: int,
        seed: int,
        *,
        timing: CreationTiming,
        rhythm: Rhythm,
        observe: RoundObserver,
        attacks: Mapping[int, Iterable[Attack]] | None = None,
        make_member: MemberFactory = Member,
        conditions: Conditions | None = None,
        settings: Settings | None = None,
        anchors: bool = False,
        weights: Sequence[int] = (),
        newcomers: int = 0,
        operators: Sequence[int] = (),
    ) -> None:
        """Set up the machines, switched off.

        `observe` takes every round that a node decides. The nodes whose numbers are in `attacks` are Byzantine;
        `make_member` makes the members of the others. With `anchors` the members' preimages make the beacon.
        `weights` are those of the founders, by default 1 each. `newcomers` are machines that nobody knows yet.
        `operators` are the numbers of the nodes whose members the genesis names so.
        """
        self.random = random.Random(f"swarm {seed}")
        self.network = Network(seed, conditions)
        self._timing, self._rhythm, self._observe = timing, rhythm, observe
        self.keep: int | None = None  # epochs on each node's disk; all if None
        identities = [Identity(self.random.randbytes(32)) for _ in range(count + newcomers)]
        members = _founders(identities[:count], weights or [1] * count, anchors=anchors)
        self.genesis: Genesis = make_genesis(
            f"simulated {seed}", members, settings or Settings(), [identities[number].id for number in operators]
        )
        self.addressing = Addressing(self.genesis)
        self._verifier = CachingVerifier()
        self.nodes = [
            SimulatedNode(number=number, identity=identity, make_member=make_member, installed=number < count)
            for number, identity in enumerate(identities)
        ]
        self._machines: trio.Nursery  # in which they run
        self.colluding_seeds: list[bytes] = []  # of all keys that Byzantine nodes ever had: they share them
        self.honest_ids: set[MemberId] = set()  # of all keys that honest nodes ever had
        self._set_up_machines(count, attacks or {})

    def _set_up_machines(self, count: int, attacks: Mapping[int, Iterable[Attack]]) -> None:
        for number, chosen in attacks.items():
            self.nodes[number].set_attacks(chosen, self.colluding_seeds)
        for node in self.nodes:
            self._assign_identity(node, node.identity, f"m{node.number}:7000")
        for newcomer in self.nodes[count:]:
            del self.addressing.addresses[newcomer.identity.id]
        self.addressing.record_founding()

    def _assign_identity(self, node: SimulatedNode, identity: Identity, address: str) -> None:
        self.addressing.addresses.pop(node.identity.id, None)
        self.addressing.addresses[identity.id] = address
        node.identity, node.address = identity, address
        if node.honest:
            self.honest_ids.add(identity.id)
        else:
            self.colluding_seeds.append(identity.private.private_bytes_raw())

    @property
    def honest(self) -> list[SimulatedNode]:
        """The nodes that keep to the protocol."""
        return [node for node in self.nodes if node.honest]

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Start all installed nodes, and keep them running until cancelled."""
        async with trio.open_nursery() as self._machines:
            for node in self.nodes:
                if node.installed:
                    self._machines.start_soon(self._supervise, node)
                    await self.start(node)
            task_status.started()
            await trio.sleep_forever()

    async def install(self, node: SimulatedNode, bootstrap: Mapping[MemberId, str] | None) -> None:
        """Install and start a newcomer's machine. It knows the addresses in `bootstrap`, or those of swarm.toml."""
        node.installed, node.bootstrap = True, bootstrap
        self.addressing.addresses[node.identity.id] = node.address
        self._machines.start_soon(self._supervise, node)
        await self.start(node)

    async def take_over(self, node: SimulatedNode, identity: Identity) -> None:
        """Give the machine to another key, with an empty disk."""
        running = node.running
        self.crash(node)
        self._assign_identity(node, identity, node.address)
        node.disk, node.blobs, node.duplicate_disks, node.corrupted_round = MemoryDisk(), MemoryBlobs(), (), None
        node.remembered = {}
        if running:
            await self.start(node)

    async def set_aside(self, node: SimulatedNode, identity: Identity) -> SimulatedNode:
        """Let the machine's key run on at another address, with its disk, and give the machine to another key.

        Return the machine of the old key.
        """
        running = node.running
        self.crash(node)
        disk = node.disk.copy()
        disk.crash(self.random)
        old = replace(
            node,
            number=1 + max(each.number for each in self.nodes),
            disk=disk,
            clock=SimulatedClock(),
            stops=[],
            scope=trio.CancelScope(),
            power=trio.Event(),
            up=trio.Event(),
        )
        self.nodes.append(old)
        await self.take_over(node, identity)
        self.move(old, f"m{old.number}:7000")
        self._machines.start_soon(self._supervise, old)
        if running:
            await self.start(node)
            await self.start(old)
        return old

    def discard(self, node: SimulatedNode) -> None:
        """Switch a machine off for good."""
        self.crash(node)
        self.nodes.remove(node)

    def move(self, node: SimulatedNode, address: str) -> None:
        """Change the address at which the machine is reached."""
        node.address = self.addressing.addresses[node.identity.id] = address

    async def start(self, node: SimulatedNode) -> None:
        """Switch a node on; return when it has read its disk, could not, or was crashed again."""
        node.running, node.up = True, trio.Event()
        node.power.set()
        await node.up.wait()

    def crash(self, node: SimulatedNode) -> None:
        """Cut the power: the node stops at once, and its disk and memory lose what was not synced."""
        node.running, node.member, node.gossip = False, None, None
        if node.power.is_set():  # else it is off, and what waits to switch it on waits for this event
            node.power = trio.Event()
        node.up.set()
        node.scope.cancel()

    async def set_duplicated(self, node: SimulatedNode, duplicated: bool) -> None:
        """Restart a node whose attack runs a duplicate: with one for every second peer, or without."""
        if node.running and node.tampering.runs_duplicate:
            self.crash(node)
            node.duplicate_disks = (node.disk.copy(),) if duplicated else ()
            await self.start(node)

    async def _supervise(self, node: SimulatedNode) -> None:
        """Run the node whenever it is switched on, and again `RESTART_S` after it stopped by itself."""
        while True:
            await node.power.wait()
            if not node.running:  # crashed again before it could begin
                continue
            up, stops, disk = node.up, len(node.stops), node.disk
            with trio.CancelScope() as node.scope:
                try:
                    await self._run_node(node)
                except* node.tolerated_errors as group:
                    node.stops += group.exceptions
                    node.member = node.gossip = None
            disk.crash(self.random)
            up.set()
            if len(node.stops) > stops:
                await trio.sleep(RESTART_S)

    async def _run_node(self, node: SimulatedNode) -> None:
        """Run what `node.app` runs, until the node is crashed or an error stops it."""
        node.starts += 1
        chance = random.Random(f"node {node.identity.text} {node.starts}")
        instances = [self._make_instance(node, disk, chance) for disk in (node.disk, *node.duplicate_disks)]
        if len(instances) > 1:
            self._divide_peers(instances)
        if node.corrupted_round is not None and first_round(node.disk) <= node.corrupted_round:
            node.corrupted_round = None  # what was wrong was in memory alone: the epoch began before
        first = instances[0]
        router = self._router(node, instances)

        async def remember(places: Mapping[MemberId, RememberedPlace]) -> None:
            node.remembered = places
            await trio.lowlevel.checkpoint()

        async with trio.open_nursery() as nursery:
            for instance in instances:
                await nursery.start(instance.member.run)
                nursery.start_soon(self._report, node, instance.decided)
            for instance in instances:
                admission = self._admission(node, instance, router)
                await admission.admit_roster()
                nursery.start_soon(admission.run, instance.member.subscribe())
                nursery.start_soon(instance.gossip.run)
                nursery.start_soon(instance.exchange.run)
                nursery.start_soon(keep, instance.whereabouts, remember)
            await nursery.start(self.network.serve, node.identity.id, router)
            nursery.start_soon(prune_epochs, first.store, self.keep)
            nursery.start_soon(self._catch_up, node, first, router, chance)
            nursery.start_soon(self.run_services, node, first, chance)
            node.member, node.gossip = first.member, first.gossip
            node.up.set()

    async def run_services(self, node: SimulatedNode, instance: Instance, chance: random.Random) -> None:
        """Run what a node does besides ordering events; subclasses whose nodes do more override this."""

    def _make_instance(self, node: SimulatedNode, disk: MemoryDisk, chance: random.Random) -> Instance:
        store = MemoryStore(disk)
        member = node.make_member(
            genesis=self.genesis,
            identity=node.identity,
            store=store,
            verifier=self._verifier,
            clock=node.clock,
            chance=chance,
            timing=self._timing,
        )
        whereabouts = self._whereabouts(node, member, chance)
        addressed = self.addressing.transport(self.network.transport(node.identity.id), whereabouts)
        transport = node.tampering.transport(addressed, member)
        gossip = Gossip(member, transport, chance, self._rhythm)
        return Instance(
            member=member,
            store=store,
            decided=member.subscribe(),
            whereabouts=whereabouts,
            addressed=addressed,
            transport=transport,
            gossip=gossip,
            exchange=AddressExchange(
                whereabouts=whereabouts,
                peers=lambda: gossip.peers,
                transport=transport,
                chance=chance,
                rhythm=self._rhythm,
            ),
            sync_route=node.tampering.sync_route(gossip.route(), member),
            fetcher=BlobFetcher(node.blobs, transport, gossip.peers, chance),
        )

    def _whereabouts(self, node: SimulatedNode, member: Member, chance: random.Random) -> Whereabouts:
        whereabouts = Whereabouts(
            key=node.identity.key,
            genesis=self.genesis.digest,
            address_book=self.address_book(node, member),
            own=lambda: [self.own_address(node)],
            time_ns=node.clock.time_ns,
            chance=chance,
            remembered=node.remembered,
        )
        whereabouts.update_own()
        return whereabouts

    def own_address(self, node: SimulatedNode) -> str:
        """Return where the machine says that it is reached."""
        return node.address

    def address_book(self, node: SimulatedNode, member: Member) -> AddressBook:
        """Return what a node knows of names and addresses from the roster and from people."""
        return self.addressing.address_book(
            lambda: member.replica.ledger.roster,
            node.bootstrap,
            lambda: member.replica.ledger.former_members,
            node.named,
        )

    def _divide_peers(self, instances: Sequence[Instance]) -> None:
        """Let each of several instances of one member know only some of the nodes, by number in turn."""
        for place, instance in enumerate(instances):
            for other in self.nodes:
                if other.number % len(instances) != place:
                    instance.gossip.peers.pop(other.identity.id, None)

    def _router(self, node: SimulatedNode, instances: Sequence[Instance]) -> Router:
        """Route the sync requests of each peer to the instance that knows it, all others to the first one."""
        first = instances[0]
        instance_of = {peer: instance for instance in instances for peer in instance.gossip.peers}

        async def answer_sync(asking: bytes, body: bytes) -> bytes:
            return await instance_of.get(asking, first).sync_route.handler(asking, body)

        incoming = IncomingBlobs(node.identity.id, lambda: first.member.replica.ledger, node.blobs, first.fetcher)
        routes = {
            SYNC_PATH: replace(first.sync_route, handler=answer_sync),
            ADDRESS_PATH: first.exchange.route(),
            CHAIN_PATH: node.tampering.chain_route(chain_route(first.store), first.member),
            BLOB_PATH: node.tampering.blob_route(blob_route(node.blobs, first.store), first.member),
            KEEP_PATH: incoming.keep_route(),
            PIECE_PATH: incoming.piece_route(),
        }
        return Router([], routes)

    def _admission(self, node: SimulatedNode, instance: Instance, router: Router) -> Admission:
        return Admission(
            me=node.identity.id,
            whereabouts=instance.whereabouts,
            credentials=NoCredentials(),
            router=router,
            transport=instance.addressed,
            fetcher=instance.fetcher,
        )

    async def _catch_up(self, node: SimulatedNode, instance: Instance, router: Router, chance: random.Random) -> None:
        """Catch up as `node.app` does: a node outside the roster looks for later epochs all the time."""
        me, member = node.identity.id, instance.member
        contacts = Contacts(
            me=me,
            whereabouts=instance.whereabouts,
            gossip=instance.gossip,
            is_outside=lambda: me not in member.replica.ledger.roster,
        )
        admission = self._admission(node, instance, router)

        async def entered() -> None:
            node.jumps += 1
            await admission.admit_roster()

        catchup = CatchUp(
            genesis=self.genesis,
            store=instance.store,
            target=member,
            peers=contacts.peers,
            transport=instance.transport,
            blobs=node.blobs,
            fetcher=instance.fetcher,
            chance=chance,
            entered=entered,
        )
        await catchup.run(contacts.is_lost)

    async def _report(self, node: SimulatedNode, decided: trio.MemoryReceiveChannel[RoundEffects]) -> None:
        async for effects in decided:
            self._observe(node, effects)


def _founders(identities: Sequence[Identity], weights: Sequence[int], *, anchors: bool) -> list[RosterMember]:
    return [
        RosterMember(identity.id, weight, Preimages(identity.key, 0).anchor if anchors else None)
        for identity, weight in zip(identities, weights, strict=True)
    ]
