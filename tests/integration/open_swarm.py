"""A swarm in memory whose members come, go and move: every node is put together as `node.app` does it.

The network knows addresses and TLS: who is not among the members that a node admits gets no connection.
"""

import random
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from itertools import count
from pathlib import Path
from typing import Any

import trio

from consensus.keys import MemberId
from consensus.ledger import Ledger
from consensus.ledger.records import transactions as t
from consensus.ledger.records.changes import Change
from node.blobs.fetching import BlobFetcher
from node.blobs.messages import BLOB_PATH
from node.blobs.serving import blob_route
from node.config.address import Address
from node.config.identity import Identity
from node.config.swarm_file import SwarmConfig, parse_config
from node.config.template import Listing, render_swarm
from node.gossip.gossip import Gossip
from node.gossip.messages import SYNC_PATH
from node.gossip.peers import Peer
from node.gossip.rhythm import Rhythm
from node.member.member import Member, Pace
from node.membership.address_book import AddressBook
from node.membership.admission import Admission
from node.membership.joining import outside
from node.simulation.run import make_deterministic
from node.simulation.swarm import SimulatedNode, SimulatedSwarm
from node.statesync.catchup import CatchUp
from node.statesync.pruning import follow_epochs
from node.statesync.serving import CHAIN_PATH, chain_route
from node.store import Store
from node.store.memory import MemoryDisk, MemoryStore
from node.system.clock import SimulatedClock
from node.transport import MAX_ANSWER_BYTES, Unreachable
from node.transport.memory import Conditions, MemoryTransport, Network
from node.transport.router import Router


class Town(Network):
    """A network with addresses and pinned keys."""

    def __init__(self, seed: int, conditions: Conditions) -> None:
        super().__init__(seed, conditions)
        self.homes: dict[str, MemberId] = {}  # who listens at an address
        self.admitted: dict[MemberId, frozenset[MemberId]] = {}  # whom a node lets in


class Credentials:
    """The part of `node.transport.tls.Credentials` that decides who is let in."""

    def __init__(self, town: Town, me: MemberId) -> None:
        self._town, self._me = town, me

    def set_members(self, members: Iterable[MemberId]) -> None:
        self._town.admitted[self._me] = frozenset(members)


class Courier(MemoryTransport):
    """As `HttpTransport`: asks at addresses, and finds there who it expects, or nobody."""

    def __init__(self, town: Town, me: MemberId, deaf: Collection[MemberId]) -> None:
        super().__init__(town, me)
        self._town, self._me, self._deaf = town, me, deaf
        self.addresses: dict[MemberId, str] = {}

    async def set_addresses(self, addresses: Mapping[MemberId, str]) -> None:
        await trio.lowlevel.checkpoint()
        self.addresses = dict(addresses)

    async def ask(
        self, peer: bytes, path: str, body: bytes, *, timeout_s: float, max_bytes: int = MAX_ANSWER_BYTES
    ) -> bytes:
        address = self.addresses.get(peer)
        if self._me in self._deaf:
            await trio.sleep(0.001)
            raise Unreachable("no route")
        if address is None or self._town.homes.get(address) != peer:
            await trio.sleep(0.001)
            raise Unreachable(f"nobody of this name at {address}")
        if self._me not in self._town.admitted.get(peer, ()):
            await trio.sleep(0.001)
            raise Unreachable("TLS alert")
        return await super().ask(peer, path, body, timeout_s=timeout_s, max_bytes=max_bytes)


class OpenSwarm(SimulatedSwarm):
    """`count` founders; others can be enlisted, and are nothing to the swarm until they are voted in."""

    def __init__(self, count: int, seed: int, *, watch: Callable[..., None], **options: Any) -> None:
        make_deterministic(seed)
        defaults = {"pace": Pace(), "rhythm": Rhythm(), "conditions": Conditions(delay_s=0.002, jitter_s=0.002)}
        super().__init__(count, seed, watch=watch, **(defaults | options))
        self.network = self.town = Town(seed, Conditions(delay_s=0.002, jitter_s=0.002))
        self._files: dict[int, SwarmConfig] = {}  # each node's swarm.toml
        self._guides: dict[int, dict[MemberId, str]] = {}  # each node's --peer
        self.ports: dict[int, int] = {}  # where each node listens, if it is not where it was first
        self.couriers: dict[int, Courier] = {}
        self.fetchers: dict[int, BlobFetcher] = {}
        self.deaf: set[MemberId] = set()  # who reaches nobody, but can be reached
        for node in self.nodes:
            self._settle(node, {other.number: address(other.number) for other in self.nodes}, {})

    def _settle(self, node: SimulatedNode, founding: dict[int, str], guides: dict[MemberId, str]) -> None:
        listings = [
            Listing(f"n{number}", self.nodes[number].identity.text, Address("10.0.0.1", int(at.split(":")[1])), 1)
            for number, at in founding.items()
        ]
        text = render_swarm("open", listings, self.genesis.settings)
        self._files[node.number], self._guides[node.number] = parse_config(Path("swarm.toml"), text), guides

    def enlist(
        self, nursery: trio.Nursery, guide: SimulatedNode, *, moved: bool = True, identity: Identity | None = None
    ) -> SimulatedNode:
        """One more machine, off: it has the genesis, its key and one address. The others may have `moved` since."""
        number = len(self.nodes)
        identity = identity or Identity(random.Random(f"newcomer {number}").randbytes(32))
        node = SimulatedNode(number, identity, MemoryDisk(), SimulatedClock(), Member)
        founders = [node.number for node in self.nodes if node.identity.id in self.genesis.roster]
        self.nodes.append(node)
        founding = {one: address(one + 1000 * moved) for one in founders}
        self._settle(node, founding, {guide.identity.id: self.home(guide)})
        nursery.start_soon(self._supervise, node)
        return node

    def name_guide(self, node: SimulatedNode, guide: SimulatedNode) -> None:
        """Its --peer at the next start."""
        self._guides[node.number] = {guide.identity.id: self.home(guide)}

    def leaves(self, place: str) -> None:
        """Nobody listens there any more."""
        del self.town.homes[place]

    def home(self, node: SimulatedNode) -> str:
        """Where the node listens."""
        return address(self.ports.get(node.number, node.number))

    def store_of(self, node: SimulatedNode) -> Store:
        """As a start of the node opens it."""
        return MemoryStore(node.disk)

    async def _live(self, node: SimulatedNode) -> None:
        node.starts += 1
        me, chance = node.identity.id, random.Random(f"node {node.number} {node.starts}")
        store = self.store_of(node)
        member = node.make_member(
            genesis=self.genesis,
            identity=node.identity,
            store=store,
            verifier=self._verifier,
            clock=node.clock,
            chance=chance,
            pace=self._pace,
        )
        decided, for_doors = member.subscribe(), member.subscribe()
        courier = self.couriers[node.number] = Courier(self.town, me, self.deaf)
        transport = node.behaviour.transport(courier, member)
        gossip = Gossip(member, transport, chance, self._rhythm)
        fetcher = self.fetchers[node.number] = BlobFetcher(node.blobs, transport, [], chance)
        guides = self._guides[node.number]
        directory = AddressBook(
            self._files[node.number], lambda: member.replica.ledger.roster, guides, lambda: member.replica.ledger.former
        )
        router = Router(
            [],
            {
                SYNC_PATH: node.behaviour.route(gossip.route(), member),
                CHAIN_PATH: chain_route(store),
                BLOB_PATH: blob_route(node.blobs),
            },
        )
        admission = Admission(
            me=me,
            address_book=directory,
            credentials=Credentials(self.town, me),
            router=router,
            transport=courier,
            fetcher=fetcher,
        )
        named = {guide: Peer(guide) for guide in guides}
        catchup = CatchUp(
            genesis=self.genesis,
            store=store,
            target=member,
            peers=lambda: (named | gossip.peers).values(),
            transport=transport,
            blobs=node.blobs,
            fetcher=fetcher,
            chance=chance,
            entered=admission.adjust,
        )

        def stranded() -> bool:
            here = Address("10.0.0.1", 1)
            return bool(outside(me, here, directory, member.replica.number, member.removed_by)) or gossip.is_stranded()

        async with trio.open_nursery() as nursery:
            await nursery.start(member.run)
            nursery.start_soon(self._report, node, decided)
            await admission.adjust()
            nursery.start_soon(admission.follow, for_doors)
            self.town.homes[self.home(node)] = me
            await nursery.start(self.network.serve, me, router)
            nursery.start_soon(gossip.run)
            nursery.start_soon(catchup.run, stranded)
            nursery.start_soon(follow_epochs, store, node.blobs, self.keep)
            nursery.start_soon(self.live, node, member, gossip, transport, chance)
            node.member, node.gossip = member, gossip
            node.up.set()


def address(number: int) -> str:
    return f"10.0.0.1:{7000 + number}"


def member_of(node: SimulatedNode) -> Member:
    assert node.member is not None
    return node.member


def ledger_of(node: SimulatedNode) -> Ledger:
    return member_of(node).replica.ledger


_numbers = count(10**6)  # of transactions; users count from 1


def propose(node: SimulatedNode, change: Change) -> bytes:
    """The id of the proposal that this node puts forward."""
    number = next(_numbers)
    member_of(node).submit([t.Propose(number, change, "why not").as_table()])
    return t.proposal_id(node.identity.id, number)


async def agree(swarm: OpenSwarm, change: Change, nodes: Sequence[SimulatedNode], seconds: float = 60) -> bytes:
    """The first node proposes, the others vote for it; returns at once when all have."""
    first, *others = nodes
    proposal = propose(first, change)
    with trio.fail_after(seconds):
        for node in others:
            while node.member is None or ledger_of(node).proposal(proposal) is None:
                await trio.sleep(0.1)
            member_of(node).submit([t.Ballot(next(_numbers), proposal, approve=True).as_table()])
    return proposal


async def until(condition: Callable[[], bool], seconds: float = 120) -> None:
    with trio.fail_after(seconds):
        while not condition():
            await trio.sleep(0.1)


def in_force(nodes: Iterable[SimulatedNode], member: MemberId, present: bool = True) -> bool:
    """Whether the member is, or is not, in the roster that these nodes go by."""
    return all(node.member is not None and (member in node.member.replica.roster) == present for node in nodes)
