"""A swarm of nodes in memory, which can be crashed, restarted, cut off and looked into."""

import random
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

import trio

from consensus.genesis import make_genesis
from consensus.replica import RoundEffects
from consensus.roster import Member as Listed
from consensus.settings import Settings
from node.clock import SimulatedClock
from node.gossip import PATH, Gossip, Rhythm
from node.identity import Identity
from node.member import Member, Pace
from node.opening import SharedOpener
from node.simulation.malice.liar import Malice, Mask, make_liar
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
    running: bool = False  # switched on, though it may have stopped by itself for a moment
    starts: int = 0
    stops: list[StoreError] = field(default_factory=list)  # why it stopped by itself
    scope: trio.CancelScope = field(default_factory=trio.CancelScope)
    ended: trio.Event | None = None  # of the last time it was switched on


class SimulatedSwarm:
    """`count` nodes of equal weight. All chance comes from `seed`; time is trio's."""

    def __init__(
        self, count: int, seed: int, *, pace: Pace, rhythm: Rhythm, watch: Watcher,
        liars: Mapping[int, Iterable[Malice]] | None = None, make_member: MemberFactory = Member,
        conditions: Conditions | None = None, settings: Settings | None = None,
    ) -> None:
        """`liars` do not keep to the protocol, in these ways; `make_member` makes the others' members."""
        self.random = random.Random(f"swarm {seed}")
        self.network = Network(seed, conditions)
        self._pace, self._rhythm, self._watch = pace, rhythm, watch
        identities = [Identity(self.random.randbytes(32)) for _ in range(count)]
        self.genesis = make_genesis(
            f"simulated {seed}", [Listed(identity.id, 1) for identity in identities], settings or Settings()
        )
        self._opener = SharedOpener(self.genesis.digest)
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
            self._nursery = nursery
            for node in self.nodes:
                await self.start(node)
            task_status.started()
            await trio.sleep_forever()

    async def start(self, node: SimulatedNode) -> None:
        """Switches a node on; returns when it has read its disk, or could not, or was crashed again."""
        node.running = True
        if node.ended is not None:
            await node.ended.wait()
        up, node.ended, node.scope = trio.Event(), trio.Event(), trio.CancelScope()
        self._nursery.start_soon(self._keep_alive, node, up, node.ended)
        await up.wait()

    def crash(self, node: SimulatedNode) -> None:
        """Pulls the plug: the node stops where it is, and its disk forgets what was not synced."""
        node.scope.cancel()
        node.running, node.member, node.gossip = False, None, None

    async def _keep_alive(self, node: SimulatedNode, up: trio.Event, ended: trio.Event) -> None:
        try:
            with node.scope:
                while True:
                    try:
                        await self._live(node, up)
                    except* StoreError as group:
                        node.stops += [error for error in group.exceptions if isinstance(error, StoreError)]
                    finally:
                        node.disk.crash(self.random)
                        up.set()
                    node.member = node.gossip = None
                    await trio.sleep(RESTART_S)
        finally:
            ended.set()

    async def _live(self, node: SimulatedNode, up: trio.Event) -> None:
        node.starts += 1
        chance = random.Random(f"node {node.identity.text} {node.starts}")
        member = node.make_member(
            genesis=self.genesis, identity=node.identity, store=MemoryStore(node.disk),
            opener=self._opener, clock=node.clock, chance=chance, pace=self._pace,
        )
        decided = member.subscribe()
        transport = node.mask.transport(self.network.transport(node.identity.id), member)
        gossip = Gossip(member, transport, chance, self._rhythm)
        routes = {PATH: node.mask.route(gossip.route(), member), **self.routes(node)}
        reception = Reception(self.genesis.roster.weights, routes)
        async with trio.open_nursery() as nursery:
            await nursery.start(member.run)
            nursery.start_soon(self._report, node, decided)
            await nursery.start(self.network.serve, node.identity.id, reception)
            nursery.start_soon(gossip.run)
            nursery.start_soon(self.live, node, member, gossip, transport, chance)
            node.member, node.gossip = member, gossip
            up.set()

    def routes(self, _node: SimulatedNode) -> Mapping[str, Route]:
        """What a node answers besides gossip; for swarms that do more than order."""
        return {}

    async def live(
        self, node: SimulatedNode, member: Member, gossip: Gossip, transport: Transport, chance: random.Random
    ) -> None:
        """What a node does besides gossiping, until it is switched off; for swarms that do more than order."""

    async def _report(self, node: SimulatedNode, decided: trio.MemoryReceiveChannel[RoundEffects]) -> None:
        async for effects in decided:
            self._watch(node, effects)
