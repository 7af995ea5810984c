"""A simulated machine: what outlives a crash, and the instance of a node that runs on it."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import trio

from consensus.keys import MemberId
from consensus.replica import RoundEffects
from node.blobs.fetching import BlobFetcher
from node.blobs.memory import MemoryBlobs
from node.config.identity import Identity
from node.gossip.gossip import Gossip
from node.member.member import Member
from node.membership.address_exchange import AddressExchange
from node.membership.admission import AddressedTransport
from node.membership.whereabouts import RememberedPlace, Whereabouts
from node.simulation.byzantine.attack import Attack, byzantine_member_factory
from node.simulation.byzantine.tampering import Tampering
from node.store import Store, StoreError
from node.store.memory import MemoryDisk
from node.system.clock import SimulatedClock
from node.transport import Transport
from node.transport.router import Route

MemberFactory = Callable[..., Member]


@dataclass(kw_only=True)
class SimulatedNode:
    """A machine with a key. Another key may take it over, with an empty disk."""

    number: int
    identity: Identity
    disk: MemoryDisk = field(default_factory=MemoryDisk)
    clock: SimulatedClock = field(default_factory=SimulatedClock)
    blobs: MemoryBlobs = field(default_factory=MemoryBlobs)
    address: str = ""  # host:port where it is reached
    remembered: Mapping[MemberId, RememberedPlace] = field(default_factory=dict)  # where members were, on its disk
    bootstrap: Mapping[MemberId, str] | None = None  # addresses given by hand; None: it has those of swarm.toml
    named: Mapping[MemberId, str] = field(default_factory=dict)  # addresses given by hand later, besides those
    installed: bool = True  # it has been switched on once

    make_member: MemberFactory = Member
    honest: bool = True
    tampering: Tampering = field(default_factory=Tampering)
    duplicate_disks: Sequence[MemoryDisk] = ()  # of its second instance, while it runs one

    running: bool = False  # switched on, though it may have stopped by itself for a moment
    member: Member | None = None  # None while it is down
    gossip: Gossip | None = None  # None while it is down
    corrupted_round: int | None = None  # the round after which a fault changed its ledger; None: its ledger is right
    starts: int = 0
    jumps: int = 0  # into a later epoch, by state sync
    stops: list[Exception] = field(default_factory=list)  # why it stopped by itself

    scope: trio.CancelScope = field(default_factory=trio.CancelScope)
    power: trio.Event = field(default_factory=trio.Event)  # set while it is switched on
    up: trio.Event = field(default_factory=trio.Event)  # set when it has read its disk, or could not

    def set_attacks(self, attacks: Iterable[Attack], colluding_seeds: Sequence[bytes] = ()) -> None:
        """Carry out these attacks from the next start on. See `byzantine_member_factory`."""
        self.tampering, self.honest = Tampering(attacks), False
        self.make_member = byzantine_member_factory(self.tampering.attacks, colluding_seeds)

    @property
    def is_corrupted(self) -> bool:
        """Whether a fault changed its ledger, and the node has not recovered from that."""
        return self.corrupted_round is not None

    @property
    def tolerated_errors(self) -> type[Exception]:
        """The errors that may stop it: those of its disk; any, if it is Byzantine, as it may break itself."""
        return StoreError if self.honest else Exception


@dataclass(frozen=True, kw_only=True)
class Instance:
    """What runs on a machine between a start and the next stop: a member with what it needs to talk to others."""

    member: Member
    store: Store
    decided: trio.MemoryReceiveChannel[RoundEffects]
    whereabouts: Whereabouts
    addressed: AddressedTransport  # asks peers where they are
    transport: Transport  # the same, with the attacks of a Byzantine member
    gossip: Gossip
    exchange: AddressExchange
    sync_route: Route
    fetcher: BlobFetcher
