"""A swarm of nodes in memory, which can be crashed, restarted, cut off and looked into."""

import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import trio

from consensus.genesis import make_genesis
from consensus.keys import MemberId
from consensus.preimages import Preimages
from consensus.replica import RoundEffects
from consensus.roster import RosterMember
from consensus.settings import Settings
from node.blobs.fetching import BlobFetcher
from node.blobs.memory import MemoryBlobs
from node.blobs.messages import BLOB_PATH
from node.blobs.serving import blob_route
from node.config.identity import Identity
from node.gossip.gossip import Gossip
from node.gossip.messages import SYNC_PATH
from node.gossip.peers import Peer
from node.gossip.rhythm import Rhythm
from node.member.member import Member, Pace
from node.member.verification import CachingVerifier
from node.membership.admission import Admission
from node.simulation.addressing import AddressedTransport, Addressing, NoCredentials
from node.simulation.byzantine.adversary import Adversary, Behaviour, make_liar
from node.simulation.machine import MemberFactory, SimulatedNode
from node.statesync.catchup import CatchUp
from node.statesync.pruning import follow_epochs
from node.statesync.serving import CHAIN_PATH, chain_route
from node.store.memory import MemoryDisk, MemoryStore
from node.system.clock import SimulatedClock
from node.transport import Transport
from node.transport.memory import Conditions, Network
from node.transport.router import Route, Router

__all__ = ["SimulatedNode", "SimulatedSwarm"]

Watcher = Callable[["SimulatedNode", RoundEffects], None]

RESTART_S = 1.0
"""Seconds after which a node that stopped by itself is started again, as a machine's supervisor would."""


class SimulatedSwarm:
    """`count` nodes that found a swarm. All chance comes from `seed`; time is trio's."""

    def __init__(
        self,
        count: int,
        seed: int,
        *,
        pace: Pace,
        rhythm: Rhythm,
        watch: Watcher,
        liars: Mapping[int, Iterable[Adversary]] | None = None,
        make_member: MemberFactory = Member,
        conditions: Conditions | None = None,
        settings: Settings | None = None,
        anchors: bool = False,
        weights: Sequence[int] = (),
        newcomers: int = 0,
    ) -> None:
        """`liars` do not keep to the protocol, in these ways; `make_member` makes the others' members.

        With `anchors` the members' preimages make the beacon, as in swarms that are founded well. `weights`
        are those of the founders, 1 each if there are none. `newcomers` are machines that nobody knows yet.
        """
        self.random = random.Random(f"swarm {seed}")
        self.network = Network(seed, conditions)
        self._pace, self._rhythm, self._watch = pace, rhythm, watch
        self.keep: int | None = None  # epochs on each node's disk; all if None
        identities = [Identity(self.random.randbytes(32)) for _ in range(count + newcomers)]
        founders = identities[:count]
        ends = [Preimages(identity.key, 0).anchor if anchors else None for identity in founders]
        parts = zip(founders, weights or [1] * count, ends, strict=True)
        members = [RosterMember(identity.id, weight, anchor) for identity, weight, anchor in parts]
        self.genesis = make_genesis(f"simulated {seed}", members, settings or Settings())
        self.addressing = Addressing(self.genesis)
        self._verifier = CachingVerifier()
        self.nodes = [
            SimulatedNode(number, identity, MemoryDisk(), SimulatedClock(), make_member, installed=number < count)
            for number, identity in enumerate(identities)
        ]
        self._switch: trio.Nursery  # in which machines run
        self.liars_seeds: list[bytes] = []  # of all keys that liars ever had: they share them
        for number, ways in (liars or {}).items():
            node = self.nodes[number]
            node.behaviour, node.honest = Behaviour(ways), False
            node.make_member = make_liar(node.behaviour.ways, self.liars_seeds)
        self.honest_ids: set[MemberId] = set()  # of all keys that honest members ever had
        for node in self.nodes:
            self._house(node, node.identity, f"m{node.number}:7000")
        for newcomer in self.nodes[count:]:
            del self.addressing.homes[newcomer.identity.id]
        self.addressing.found()

    def _house(self, node: SimulatedNode, identity: Identity, address: str) -> None:
        self.addressing.homes.pop(node.identity.id, None)
        self.addressing.homes[identity.id] = address
        node.identity, node.address = identity, address
        if node.honest:
            self.honest_ids.add(identity.id)
        else:
            self.liars_seeds.append(identity.private.private_bytes_raw())

    @property
    def honest(self) -> list[SimulatedNode]:
        """The nodes that keep to the protocol."""
        return [node for node in self.nodes if node.honest]

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Starts all nodes and keeps them running until cancelled."""
        async with trio.open_nursery() as self._switch:
            for node in self.nodes:
                if node.installed:
                    self._switch.start_soon(self._supervise, node)
                    await self.start(node)
            task_status.started()
            await trio.sleep_forever()

    async def install(self, node: SimulatedNode, guides: Mapping[MemberId, str] | None) -> None:
        """Puts up a newcomer's machine. It knows swarm.toml, or only the addresses in `guides`."""
        node.installed, node.guides = True, guides
        self.addressing.homes[node.identity.id] = node.address
        self._switch.start_soon(self._supervise, node)
        await self.start(node)

    async def take_over(self, node: SimulatedNode, identity: Identity) -> None:
        """Lets another key have the machine, with nothing on its disk."""
        running = node.running
        self.crash(node)
        self._house(node, identity, node.address)
        node.disk, node.blobs, node.second_disk, node.bent = MemoryDisk(), MemoryBlobs(), (), None
        if running:
            await self.start(node)

    def move(self, node: SimulatedNode, address: str) -> None:
        """From now on the machine is reached at another address."""
        node.address = self.addressing.homes[node.identity.id] = address

    async def start(self, node: SimulatedNode) -> None:
        """Switches a node on; returns when it has read its disk, or could not, or was crashed again."""
        node.running, node.up = True, trio.Event()
        node.power.set()
        await node.up.wait()

    def crash(self, node: SimulatedNode) -> None:
        """Pulls the plug: the node stops where it is, and its disk and memory forget what was not synced."""
        node.running, node.member, node.gossip, node.bent = False, None, None, None
        node.power = trio.Event()
        node.up.set()
        node.scope.cancel()

    async def live_twice(self, node: SimulatedNode, twice: bool) -> None:
        """Lets a liar run a copy of itself for every second node, or no more. It is started anew for that."""
        if node.running and node.behaviour.lives_twice:
            self.crash(node)
            node.second_disk = (node.disk.copy(),) if twice else ()
            await self.start(node)

    async def _supervise(self, node: SimulatedNode) -> None:
        while True:
            await node.power.wait()
            if not node.running:  # crashed again before it could begin
                continue
            up, stops, disk = node.up, len(node.stops), node.disk
            with trio.CancelScope() as node.scope:
                try:
                    await self._live(node)
                except* node.bearable as group:
                    node.stops += group.exceptions
                    node.member = node.gossip = None
            disk.crash(self.random)
            up.set()
            if len(node.stops) > stops:
                await trio.sleep(RESTART_S)

    async def _live(self, node: SimulatedNode) -> None:
        node.starts += 1
        chance = random.Random(f"node {node.identity.text} {node.starts}")
        lives = [self._life(node, disk, chance) for disk in (node.disk, *node.second_disk)]
        if len(lives) > 1:
            self._part(lives)
        lives_of = {peer: life for life in lives for peer in life.gossip.peers}

        async def answer(asking: bytes, body: bytes) -> bytes:
            return await lives_of.get(asking, lives[0]).route.handler(asking, body)

        first = lives[0]
        routes = {
            SYNC_PATH: replace(first.route, handler=answer),
            CHAIN_PATH: node.behaviour.chain_route(chain_route(first.store), first.member),
            BLOB_PATH: node.behaviour.blob_route(blob_route(node.blobs), first.member),
        }
        router = Router([], routes)
        async with trio.open_nursery() as nursery:
            for life in lives:
                await nursery.start(life.member.run)
                nursery.start_soon(self._report, node, life.decided)
            for life in lives:
                admission = self._admission(node, life, router)
                await admission.adjust()
                nursery.start_soon(admission.follow, life.member.subscribe())
                nursery.start_soon(life.gossip.run)
            await nursery.start(self.network.serve, node.identity.id, router)
            nursery.start_soon(follow_epochs, first.store, node.blobs, self.keep)
            nursery.start_soon(self._catch_up, node, first, router, chance)
            nursery.start_soon(self.live, node, first.member, first.gossip, first.transport, chance)
            node.member, node.gossip = first.member, first.gossip
            node.up.set()

    def _life(self, node: SimulatedNode, disk: MemoryDisk, chance: random.Random) -> "_Life":
        """A member that reads this disk, and its gossip."""
        store = MemoryStore(disk)
        member = node.make_member(
            genesis=self.genesis,
            identity=node.identity,
            store=store,
            verifier=self._verifier,
            clock=node.clock,
            chance=chance,
            pace=self._pace,
        )
        road = self.addressing.transport(self.network.transport(node.identity.id))
        transport = node.behaviour.transport(road, member)
        gossip = Gossip(member, transport, chance, self._rhythm)
        route = node.behaviour.route(gossip.route(), member)
        fetcher = BlobFetcher(node.blobs, transport, gossip.peers, chance)
        return _Life(member, store, member.subscribe(), road, transport, gossip, route, fetcher)

    def _part(self, lives: Sequence["_Life"]) -> None:
        """Lets each of several lives of one member know every second node only."""
        for place, life in enumerate(lives):
            for other in self.nodes:
                if other.number % len(lives) != place:
                    life.gossip.peers.pop(other.identity.id, None)

    def _admission(self, node: SimulatedNode, life: "_Life", router: Router) -> Admission:
        """What knows and admits who is in the roster."""
        address_book = self.addressing.address_book(lambda: life.member.replica.ledger.roster, node.guides)
        return Admission(
            me=node.identity.id,
            address_book=address_book,
            credentials=NoCredentials(),
            router=router,
            transport=life.road,
            fetcher=life.fetcher,
        )

    async def _catch_up(self, node: SimulatedNode, life: "_Life", router: Router, chance: random.Random) -> None:
        """As `node.app` does it: a node that is outside looks for later epochs all the time."""
        me, member = node.identity.id, life.member
        guides = {guide: Peer(guide) for guide in node.guides or ()}
        admission = self._admission(node, life, router)

        async def entered() -> None:
            node.jumps += 1
            await admission.adjust()

        catchup = CatchUp(
            genesis=self.genesis,
            store=life.store,
            target=member,
            peers=lambda: (guides | life.gossip.peers).values(),
            transport=life.transport,
            blobs=node.blobs,
            fetcher=life.fetcher,
            chance=chance,
            entered=entered,
        )
        await catchup.run(lambda: me not in member.replica.ledger.roster or life.gossip.is_stranded())

    async def live(
        self, node: SimulatedNode, member: Member, gossip: Gossip, transport: Transport, chance: random.Random
    ) -> None:
        """What a node does besides gossiping, until it is switched off; for swarms that do more than order."""

    async def _report(self, node: SimulatedNode, decided: trio.MemoryReceiveChannel[RoundEffects]) -> None:
        async for effects in decided:
            self._watch(node, effects)


@dataclass(frozen=True)
class _Life:
    """What runs on a node: once, unless it is one that lives twice."""

    member: Member
    store: MemoryStore
    decided: trio.MemoryReceiveChannel[RoundEffects]
    road: AddressedTransport
    transport: Transport
    gossip: Gossip
    route: Route
    fetcher: BlobFetcher
