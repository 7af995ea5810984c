"""A swarm of nodes in memory, which can be crashed, restarted, cut off and looked into."""

import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import trio

from consensus.genesis import make_genesis
from consensus.preimages import Preimages
from consensus.replica import RoundEffects
from consensus.roster import Member as Listed
from consensus.settings import Settings
from node.blobs.exchange import PATH as BLOBS_PATH
from node.blobs.exchange import BlobFetcher, blob_route
from node.blobs.memory import MemoryBlobs
from node.clock import SimulatedClock
from node.gossip import PATH, Gossip, Rhythm
from node.identity import Identity
from node.member import Member, Pace
from node.opening import SharedOpener
from node.simulation.malice.liar import Malice, Mask, make_liar
from node.statesync.catchup import CatchUp
from node.statesync.teaching import PATH as CHAIN_PATH
from node.statesync.teaching import chain_route
from node.statesync.upkeep import follow_epochs
from node.store import StoreError
from node.store.memory import MemoryDisk, MemoryStore
from node.transport import Transport
from node.transport.memory import Conditions, Network
from node.transport.reception import Reception, Route

MemberFactory = Callable[..., Member]
Watcher = Callable[["SimulatedNode", RoundEffects], None]

RESTART_S = 1.0
"""Seconds after which a node that stopped by itself is started again, as a machine's supervisor would."""


@dataclass
class SimulatedNode:
    """One machine: what outlives a crash, and what runs on it now."""

    number: int
    identity: Identity
    disk: MemoryDisk
    clock: SimulatedClock
    make_member: MemberFactory
    mask: Mask = field(default_factory=Mask)  # what others see of its gossip
    honest: bool = True
    member: Member | None = None  # None while it is down
    gossip: Gossip | None = None
    blobs: MemoryBlobs = field(default_factory=MemoryBlobs)  # outlive crashes
    second_disk: Sequence[MemoryDisk] = ()  # of its second life, while it lives twice
    running: bool = False  # switched on, though it may have stopped by itself for a moment
    starts: int = 0
    stops: list[Exception] = field(default_factory=list)  # why it stopped by itself
    scope: trio.CancelScope = field(default_factory=trio.CancelScope)
    power: trio.Event = field(default_factory=trio.Event)  # set while it is switched on
    up: trio.Event = field(default_factory=trio.Event)  # set when it has read its disk, or could not

    @property
    def bearable(self) -> type[Exception]:
        """What may stop it: a disk, and if it lies also what it does to itself by that."""
        return StoreError if self.honest else Exception


class SimulatedSwarm:
    """`count` nodes of equal weight. All chance comes from `seed`; time is trio's."""

    def __init__(
        self, count: int, seed: int, *, pace: Pace, rhythm: Rhythm, watch: Watcher,
        liars: Mapping[int, Iterable[Malice]] | None = None, make_member: MemberFactory = Member,
        conditions: Conditions | None = None, settings: Settings | None = None, anchors: bool = False,
    ) -> None:
        """`liars` do not keep to the protocol, in these ways; `make_member` makes the others' members.

        With `anchors` the members' preimages make the beacon, as in swarms that are founded well.
        """
        self.random = random.Random(f"swarm {seed}")
        self.network = Network(seed, conditions)
        self._pace, self._rhythm, self._watch = pace, rhythm, watch
        self.keep: int | None = None  # epochs on each node's disk; all if None
        identities = [Identity(self.random.randbytes(32)) for _ in range(count)]
        ends = [Preimages(identity.key, 0).anchor if anchors else None for identity in identities]
        members = [Listed(identity.id, 1, anchor) for identity, anchor in zip(identities, ends, strict=True)]
        self.genesis = make_genesis(f"simulated {seed}", members, settings or Settings())
        self._opener = SharedOpener()
        self.nodes = [
            SimulatedNode(number, identity, MemoryDisk(), SimulatedClock(), make_member)
            for number, identity in enumerate(identities)
        ]
        for number, ways in (liars or {}).items():
            node = self.nodes[number]
            node.mask, node.honest = Mask(ways), False
            node.make_member = make_liar(node.mask.ways)

    @property
    def honest(self) -> list[SimulatedNode]:
        """The nodes that keep to the protocol."""
        return [node for node in self.nodes if node.honest]

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Starts all nodes and keeps them running until cancelled."""
        async with trio.open_nursery() as nursery:
            for node in self.nodes:
                nursery.start_soon(self._supervise, node)
                await self.start(node)
            task_status.started()
            await trio.sleep_forever()

    async def start(self, node: SimulatedNode) -> None:
        """Switches a node on; returns when it has read its disk, or could not, or was crashed again."""
        node.running, node.up = True, trio.Event()
        node.power.set()
        await node.up.wait()

    def crash(self, node: SimulatedNode) -> None:
        """Pulls the plug: the node stops where it is, and its disk forgets what was not synced."""
        node.running, node.member, node.gossip = False, None, None
        node.power = trio.Event()
        node.up.set()
        node.scope.cancel()

    async def live_twice(self, node: SimulatedNode, twice: bool) -> None:
        """Lets a liar run a copy of itself for every second node, or no more. It is started anew for that."""
        if node.running and node.mask.lives_twice:
            self.crash(node)
            node.second_disk = (node.disk.copy(),) if twice else ()
            await self.start(node)

    async def _supervise(self, node: SimulatedNode) -> None:
        while True:
            await node.power.wait()
            up, stops = node.up, len(node.stops)
            with trio.CancelScope() as node.scope:
                try:
                    await self._live(node)
                except* node.bearable as group:
                    node.stops += group.exceptions
                    node.member = node.gossip = None
            node.disk.crash(self.random)
            up.set()
            if len(node.stops) > stops:
                await trio.sleep(RESTART_S)

    async def _live(self, node: SimulatedNode) -> None:
        node.starts += 1
        chance = random.Random(f"node {node.identity.text} {node.starts}")
        lives = [self._life(node, disk, chance) for disk in (node.disk, *node.second_disk)]
        if len(lives) > 1:
            self._part(lives)
        members = {peer: life for life in lives for peer in life.gossip.peers}

        async def answer(asking: bytes, body: bytes) -> bytes:
            return await members[asking].route.handler(asking, body)

        route = replace(lives[0].route, handler=answer)
        routes = {PATH: route, CHAIN_PATH: chain_route(lives[0].store), BLOBS_PATH: blob_route(node.blobs)}
        reception = Reception(self.genesis.roster.weights, routes)
        async with trio.open_nursery() as nursery:
            for life in lives:
                await nursery.start(life.member.run)
                nursery.start_soon(self._report, node, life.decided)
            await nursery.start(self.network.serve, node.identity.id, reception)
            for life in lives:
                nursery.start_soon(life.gossip.run)
            first = lives[0]
            nursery.start_soon(follow_epochs, first.store, node.blobs, self.keep)
            nursery.start_soon(self._catch_up, node, first, chance)
            nursery.start_soon(self.live, node, first.member, first.gossip, first.transport, chance)
            node.member, node.gossip = first.member, first.gossip
            node.up.set()

    def _life(self, node: SimulatedNode, disk: MemoryDisk, chance: random.Random) -> "_Life":
        """A member that reads this disk, and its gossip."""
        store = MemoryStore(disk)
        member = node.make_member(
            genesis=self.genesis, identity=node.identity, store=store, opener=self._opener, clock=node.clock,
            chance=chance, pace=self._pace,
        )
        transport = node.mask.transport(self.network.transport(node.identity.id), member)
        gossip = Gossip(member, transport, chance, self._rhythm)
        route = node.mask.route(gossip.route(), member)
        return _Life(member, store, member.subscribe(), transport, gossip, route)

    def _part(self, lives: Sequence["_Life"]) -> None:
        """Lets each of several lives of one member know every second node only."""
        for place, life in enumerate(lives):
            for other in self.nodes:
                if other.number % len(lives) != place:
                    life.gossip.peers.pop(other.identity.id, None)

    async def _catch_up(self, node: SimulatedNode, life: "_Life", chance: random.Random) -> None:
        fetcher = BlobFetcher(node.blobs, life.transport, life.gossip.peers, chance)
        catchup = CatchUp(
            self.genesis, life.store, life.member, lambda: life.gossip.peers.values(), life.transport,
            node.blobs, fetcher, chance,
        )
        await catchup.run(life.gossip.stranded)

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
    transport: Transport
    gossip: Gossip
    route: Route
