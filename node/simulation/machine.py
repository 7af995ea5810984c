"""One simulated machine: what outlives a crash, and what runs on it now."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import trio

from consensus.keys import MemberId
from node.blobs.memory import MemoryBlobs
from node.config.identity import Identity
from node.gossip.gossip import Gossip
from node.member.member import Member
from node.simulation.byzantine.adversary import Behaviour
from node.store import StoreError
from node.store.memory import MemoryDisk
from node.system.clock import SimulatedClock

MemberFactory = Callable[..., Member]


@dataclass
class SimulatedNode:
    """A machine with a key. Another key takes it over with an empty disk."""

    number: int
    identity: Identity
    disk: MemoryDisk
    clock: SimulatedClock
    make_member: MemberFactory
    behaviour: Behaviour = field(default_factory=Behaviour)  # what others see of its gossip
    honest: bool = True
    address: str = ""  # host:port where it is reached
    guides: Mapping[MemberId, str] | None = None  # addresses that it was told by hand; None: it has swarm.toml's
    installed: bool = True  # it has been switched on once
    bent: int | None = None  # the round after which something bent its ledger; None while it is sound
    member: Member | None = None  # None while it is down
    gossip: Gossip | None = None
    blobs: MemoryBlobs = field(default_factory=MemoryBlobs)  # outlive crashes
    second_disk: Sequence[MemoryDisk] = ()  # of its second life, while it lives twice
    running: bool = False  # switched on, though it may have stopped by itself for a moment
    starts: int = 0
    jumps: int = 0  # into a later epoch, by state sync
    stops: list[Exception] = field(default_factory=list)  # why it stopped by itself
    scope: trio.CancelScope = field(default_factory=trio.CancelScope)
    power: trio.Event = field(default_factory=trio.Event)  # set while it is switched on
    up: trio.Event = field(default_factory=trio.Event)  # set when it has read its disk, or could not

    @property
    def bearable(self) -> type[Exception]:
        """What may stop it: a disk, and if it lies also what it does to itself by that."""
        return StoreError if self.honest else Exception
