"""A swarm of nodes in memory, which can be crashed, restarted, cut off and looked into."""

import random
from collections.abc import Callable, Mapping
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
from node.store.memory import MemoryDisk, MemoryStore
from node.transport import Transport
from node.transport.memory import Conditions, Network
from node.transport.reception import Reception, Route

MemberFactory = Callable[..., Member]
Watcher = Callable[["SimulatedNode", RoundEffects], None]


@dataclass
class SimulatedNode:
    """One machine: what outlives a crash, and what runs on it now."""

    number: int
    identity: Identity
    disk: MemoryDisk
    clock: SimulatedClock
    make_member: MemberFactory
    honest: bool
    member: Member | None = None  # None while it is down
    gossip: Gossip | None = None
    scope: trio.CancelScope = field(default_factory=trio.CancelScope)
    starts: int = 0


class SimulatedSwarm:
    """`count` nodes of equal weight. All chance comes from `seed`; time is trio's."""

    def __init__(
        self, count: int, seed: int, *, pace: Pace, rhythm: Rhythm, watch: Watcher,
        dishonest: MemberFactory | None = None, conditions: Conditions | None = None,
        settings: Settings | None = None,
    ) -> None:
        self.random = random.Random(f"swarm {seed}")
        self.network = Network(seed, conditions)
        self._pace, self._rhythm, self._watch = pace, rhythm, watch
        identities = [Identity(self.random.randbytes(32)) for _ in range(count)]
        self.genesis = make_genesis(
            f"simulated {seed}", [Listed(identity.id, 1) for identity in identities], settings or Settings()
        )
        self._opener = SharedOpener(self.genesis.digest)
        self.nodes = [
            SimulatedNode(number, identity, MemoryDisk(), SimulatedClock(), Member, True)
            for number, identity in enumerate(identities)
        ]
        if dishonest is not None:
            self.nodes[-1].make_member, self.nodes[-1].honest = dishonest, False

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
        """Switches a node on; returns when it has read its disk."""
        await self._nursery.start(self._live, node)

    def crash(self, node: SimulatedNode) -> None:
        """Pulls the plug: the node stops where it is, and its disk forgets what was not synced."""
        node.scope.cancel()
        node.member = node.gossip = None

    async def _live(self, node: SimulatedNode, *, task_status: trio.TaskStatus[None]) -> None:
        node.starts += 1
        chance = random.Random(f"node {node.identity.text} {node.starts}")
        with trio.CancelScope() as node.scope:
            member = node.make_member(
                genesis=self.genesis, identity=node.identity, store=MemoryStore(node.disk),
                opener=self._opener, clock=node.clock, chance=chance, pace=self._pace,
            )
            decided = member.subscribe()
            transport = self.network.transport(node.identity.id)
            gossip = Gossip(member, transport, chance, self._rhythm)
            reception = Reception(self.genesis.roster.weights, {PATH: gossip.route(), **self.routes(node)})
            async with trio.open_nursery() as nursery:
                await nursery.start(member.run)
                nursery.start_soon(self._report, node, decided)
                await nursery.start(self.network.serve, node.identity.id, reception)
                nursery.start_soon(gossip.run)
                nursery.start_soon(self.live, node, member, gossip, transport, chance)
                node.member, node.gossip = member, gossip
                task_status.started()
        node.disk.crash(self.random)

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
