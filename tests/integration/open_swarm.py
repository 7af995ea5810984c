"""A swarm in memory whose members come, go and move. Every node is built as `node.app` does it.

The network knows addresses and TLS: a node that is not admitted gets no connection.
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
from node.gossip.rhythm import Rhythm
from node.member.member import Member
from node.member.timing import CreationTiming
from node.membership.address_book import AddressBook
from node.membership.address_exchange import AddressExchange
from node.membership.address_file import keep
from node.membership.address_messages import ADDRESS_PATH
from node.membership.admission import Admission
from node.membership.contacts import Contacts
from node.membership.joining import reason_outside
from node.membership.whereabouts import RememberedPlace, Whereabouts
from node.simulation.machine import Instance, SimulatedNode
from node.simulation.run import make_deterministic
from node.simulation.swarm import RoundObserver, SimulatedSwarm
from node.statesync.catchup import CatchUp
from node.statesync.pruning import prune_epochs
from node.statesync.serving import CHAIN_PATH, chain_route
from node.store import Store
from node.store.memory import MemoryStore
from node.transport import MAX_ANSWER_BYTES, Unreachable
from node.transport.memory import Conditions, MemoryTransport, Network
from node.transport.router import Router


class AddressedNetwork(Network):
    """A network with addresses and pinned keys."""

    def __init__(self, seed: int, conditions: Conditions) -> None:
        super().__init__(seed, conditions)
        self.listeners: dict[str, MemberId] = {}  # by address
        self.admitted: dict[MemberId, frozenset[MemberId]] = {}  # the members that each node admits


class NetworkCredentials:
    """`PeerCredentials` that keep the members whom a node admits in the network."""

    def __init__(self, network: AddressedNetwork, me: MemberId) -> None:
        self._network, self._me = network, me

    def set_members(self, members: Iterable[MemberId]) -> None:
        self._network.admitted[self._me] = frozenset(members)


class PinnedTransport(MemoryTransport):
    """A transport that, like `HttpTransport`, asks at addresses, and only those that have the expected key."""

    def __init__(
        self, network: AddressedNetwork, me: MemberId, offline: Collection[MemberId], whereabouts: Whereabouts
    ) -> None:
        super().__init__(network, me)
        self._addressed_network, self._me, self._offline = network, me, offline
        self.whereabouts = whereabouts

    async def close_stale(self) -> None:
        await trio.lowlevel.checkpoint()

    async def ask(
        self, peer: bytes, path: str, body: bytes, *, timeout_s: float, max_bytes: int = MAX_ANSWER_BYTES
    ) -> bytes:
        found, reason = self._find(peer)
        if not found:
            await trio.sleep(0.001)
            raise Unreachable(reason)
        answer = await super().ask(peer, path, body, timeout_s=timeout_s, max_bytes=max_bytes)
        self.whereabouts.observe_reached(peer, found)
        return answer

    def _find(self, peer: MemberId) -> tuple[str, str]:
        """Return the address at which the peer is reached, or "" and why it is not."""
        if self._me in self._offline:
            return "", "no route"
        tried = [one.address for one in self.whereabouts.candidates(peer) if self.whereabouts.may_try(one)]
        found = [address for address in tried if self._addressed_network.listeners.get(address) == peer]
        if not found:
            return "", f"no such peer at {', '.join(tried)}"
        is_admitted = self._me in self._addressed_network.admitted.get(peer, ())
        return (found[0], "") if is_admitted else ("", "TLS alert")


class OpenSwarm(SimulatedSwarm):
    """`count` founders, and newcomers that mean nothing to the swarm until they are voted in."""

    def __init__(self, count: int, seed: int, *, observe: RoundObserver, **options: Any) -> None:
        make_deterministic(seed)
        conditions = Conditions(delay_s=0.002, jitter_s=0.002)
        defaults: dict[str, Any] = {
            "timing": CreationTiming(prompt_s=0.2),
            "rhythm": Rhythm(),
            "conditions": conditions,
        }
        super().__init__(count, seed, observe=observe, **(defaults | options))
        self.network = self.addressed_network = AddressedNetwork(seed, conditions)
        self._configs: dict[int, SwarmConfig] = {}  # each node's swarm.toml
        self._given: dict[int, dict[MemberId, str]] = {}  # each node's --peer
        self.ports: dict[int, int] = {}  # where each node listens, if not where it did at first
        self.transports: dict[int, PinnedTransport] = {}
        self.offline: set[MemberId] = set()  # nodes that cannot ask anybody, but can be asked
        for node in self.nodes:
            self._configure(node, {other.number: address(other.number) for other in self.nodes}, {})

    def _configure(self, node: SimulatedNode, founding: dict[int, str], given: dict[MemberId, str]) -> None:
        listings = [
            Listing(f"n{number}", self.nodes[number].identity.text, Address("10.0.0.1", int(at.split(":")[1])), 1)
            for number, at in founding.items()
        ]
        text = render_swarm("open", listings, self.genesis.settings)
        self._configs[node.number], self._given[node.number] = parse_config(Path("swarm.toml"), text), given

    def add_newcomer(
        self, nursery: trio.Nursery, sponsor: SimulatedNode, *, moved: bool = True, identity: Identity | None = None
    ) -> SimulatedNode:
        """Add a machine, switched off, that has the genesis, its key and the sponsor's address.

        With `moved` the addresses of its swarm.toml are out of date.
        """
        number = len(self.nodes)
        identity = identity or Identity(random.Random(f"newcomer {number}").randbytes(32))
        node = SimulatedNode(number=number, identity=identity)
        founders = [node.number for node in self.nodes if node.identity.id in self.genesis.roster]
        self.nodes.append(node)
        founding = {founder: address(founder + 1000 * moved) for founder in founders}
        self._configure(node, founding, {sponsor.identity.id: self.address_of(sponsor)})
        nursery.start_soon(self._supervise, node)
        return node

    def give_peer(self, node: SimulatedNode, peer: SimulatedNode) -> None:
        """Set the node's --peer for its next start."""
        self._given[node.number] = {peer.identity.id: self.address_of(peer)}

    def stop_listening(self, place: str) -> None:
        """Let nobody listen at this address any more."""
        del self.addressed_network.listeners[place]

    def address_of(self, node: SimulatedNode) -> str:
        """Return the address at which the node listens."""
        return address(self.ports.get(node.number, node.number))

    def knows_place(self, node: SimulatedNode, other: SimulatedNode) -> bool:
        """Return whether a node tries another one where it is."""
        candidates = self.transports[node.number].whereabouts.candidates(other.identity.id)
        return self.address_of(other) in [candidate.address for candidate in candidates]

    def open_store(self, node: SimulatedNode) -> Store:
        """Open the store for a start of the node."""
        return MemoryStore(node.disk)

    async def _run_node(self, node: SimulatedNode) -> None:
        node.starts += 1
        me, chance = node.identity.id, random.Random(f"node {node.number} {node.starts}")
        instance = self._open_instance(node, chance)
        member, gossip = instance.member, instance.gossip
        rounds = member.subscribe()
        routes = {
            SYNC_PATH: instance.sync_route,
            ADDRESS_PATH: instance.exchange.route(),
            CHAIN_PATH: chain_route(instance.store),
            BLOB_PATH: blob_route(node.blobs, instance.store),
        }
        router = Router([], routes)
        admission = Admission(
            me=me,
            whereabouts=instance.whereabouts,
            credentials=NetworkCredentials(self.addressed_network, me),
            router=router,
            transport=instance.addressed,
            fetcher=instance.fetcher,
        )
        contacts = Contacts(
            me=me,
            whereabouts=instance.whereabouts,
            gossip=gossip,
            is_outside=lambda: _is_outside(member, instance.whereabouts.address_book),
        )
        catchup = self._catchup(node, instance, admission, contacts, chance)

        async def remember(places: Mapping[MemberId, RememberedPlace]) -> None:
            node.remembered = places
            await trio.lowlevel.checkpoint()

        async with trio.open_nursery() as nursery:
            await nursery.start(member.run)
            nursery.start_soon(self._report, node, instance.decided)
            await admission.admit_roster()
            nursery.start_soon(admission.run, rounds)
            self.addressed_network.listeners[self.address_of(node)] = me
            await nursery.start(self.network.serve, me, router)
            nursery.start_soon(gossip.run)
            nursery.start_soon(instance.exchange.run)
            nursery.start_soon(keep, instance.whereabouts, remember)
            nursery.start_soon(catchup.run, contacts.is_lost)
            nursery.start_soon(prune_epochs, instance.store, self.keep)
            nursery.start_soon(self.run_services, node, instance, chance)
            node.member, node.gossip = member, gossip
            node.up.set()

    def _open_instance(self, node: SimulatedNode, chance: random.Random) -> Instance:
        store = self.open_store(node)
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
        pinned = PinnedTransport(self.addressed_network, member.id, self.offline, whereabouts)
        self.transports[node.number] = pinned
        transport = node.tampering.transport(pinned, member)
        gossip = Gossip(member, transport, chance, self._rhythm)
        return Instance(
            member=member,
            store=store,
            decided=member.subscribe(),
            whereabouts=whereabouts,
            addressed=pinned,
            transport=transport,
            gossip=gossip,
            exchange=AddressExchange(
                whereabouts=whereabouts, peers=lambda: gossip.peers, transport=transport, chance=chance
            ),
            sync_route=node.tampering.sync_route(gossip.route(), member),
            fetcher=BlobFetcher(node.blobs, transport, [], chance),
        )

    def own_address(self, node: SimulatedNode) -> str:
        """See `SimulatedSwarm.own_address`."""
        return self.address_of(node)

    def address_book(self, node: SimulatedNode, member: Member) -> AddressBook:
        return AddressBook(
            self._configs[node.number],
            lambda: member.replica.ledger.roster,
            self._given[node.number],
            lambda: member.replica.ledger.former_members,
        )

    def _catchup(
        self,
        node: SimulatedNode,
        instance: Instance,
        admission: Admission,
        contacts: Contacts,
        chance: random.Random,
    ) -> CatchUp:
        return CatchUp(
            genesis=self.genesis,
            store=instance.store,
            target=instance.member,
            peers=contacts.peers,
            transport=instance.transport,
            blobs=node.blobs,
            fetcher=instance.fetcher,
            chance=chance,
            entered=admission.admit_roster,
        )


def _is_outside(member: Member, address_book: AddressBook) -> bool:
    here = Address("10.0.0.1", 1)
    ledger, removed_by = member.replica.ledger, member.removed_by
    return bool(reason_outside(member.id, here, address_book, ledger, removed_by=removed_by))


def address(number: int) -> str:
    return f"10.0.0.1:{7000 + number}"


def member_of(node: SimulatedNode) -> Member:
    assert node.member is not None
    return node.member


def ledger_of(node: SimulatedNode) -> Ledger:
    return member_of(node).replica.ledger


_numbers = count(10**6)  # of transactions; a `Workload` counts from 1


def propose(node: SimulatedNode, change: Change) -> bytes:
    """Submit a proposal at this node; return its id."""
    number = next(_numbers)
    member_of(node).submit([t.Propose(number, change, "why not").as_table()])
    return t.proposal_id(node.identity.id, number)


async def agree(swarm: OpenSwarm, change: Change, nodes: Sequence[SimulatedNode], seconds: float = 60) -> bytes:
    """Let the first node propose the change and the others vote for it; return the proposal when all have."""
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
    """Return whether the member is (or is not) in the roster that these nodes go by."""
    return all(node.member is not None and (member in node.member.replica.roster) == present for node in nodes)
