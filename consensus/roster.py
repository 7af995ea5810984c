"""The roster: who is in the swarm during one epoch, with which weight, and what more than 2/3 of the weight is."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

from consensus.encoding import Decoded, Value, encode
from consensus.keys import NOT_STRICT, MemberId, id_text, is_strict_point

MEMBERS_LIMIT = 256
WEIGHT_LIMIT = 2**32
ADDRESS_LIMIT = 255


class RosterError(ValueError):
    """Members that do not make a roster: one line that says what is wrong and where."""


@dataclass(frozen=True)
class RosterMember:
    """A member by its Ed25519 public key (32 bytes) and its weight in every vote.

    Weight 0 is for a member that has lost its vote: it still gossips, and decides nothing.
    """

    id: MemberId
    weight: int
    anchor: bytes | None = None  # the end of its chain of preimages (32 bytes); without one it adds to no beacon
    address: str = ""  # host:port that the members agreed on; empty: see the swarm.toml that founded the swarm

    def table(self) -> Value:
        """Return the member as a CBOR array."""
        return [self.id, self.weight, self.anchor, self.address]


@dataclass(frozen=True)
class Roster:
    """The members of one epoch, sorted by id. Their order gives the member indices of the hashgraph. Checked."""

    members: tuple[RosterMember, ...]

    def __post_init__(self) -> None:
        _check_members(self.members)

    @cached_property
    def ids(self) -> tuple[MemberId, ...]:
        """The ids in roster order."""
        return tuple(member.id for member in self.members)

    @cached_property
    def weights(self) -> dict[MemberId, int]:
        """Weight by member id."""
        return {member.id: member.weight for member in self.members}

    @cached_property
    def total_weight(self) -> int:
        """W, the weight of all members."""
        return sum(member.weight for member in self.members)

    def __contains__(self, member: object) -> bool:
        return member in self.weights

    def __len__(self) -> int:
        return len(self.members)

    def member(self, member_id: MemberId) -> RosterMember:
        """Return the member with this id. Raise KeyError if there is none."""
        return self._by_id[member_id]

    def weight(self, members: Iterable[MemberId]) -> int:
        """Return the total weight of distinct members; a non-member weighs nothing."""
        return sum(self.weights.get(member, 0) for member in members)

    def supermajority(self, members: Iterable[MemberId]) -> bool:
        """Return whether these distinct members weigh more than 2/3 of all (SPEC S2)."""
        return 3 * self.weight(members) > 2 * self.total_weight

    @property
    def indispensable(self) -> tuple[RosterMember, ...]:
        """The voters without which the others decide nothing, as each has a third of the weight or more.

        With two or three voters there is always one. A voter that is alone decides by itself, and is not counted.
        """
        return tuple(member for member in self.members if member.weight < self.total_weight <= 3 * member.weight)

    @property
    def outweighing(self) -> RosterMember | None:
        """One of four or more voters that has a third of the weight or more, and so a veto; None if none has."""
        voters = sum(1 for member in self.members if member.weight)
        return next(iter(self.indispensable), None) if voters >= 4 else None

    @cached_property
    def digest(self) -> bytes:
        """SHA-256 of the ids and weights alone: addresses and anchors decide nothing."""
        members: Value = [[member.id, member.weight] for member in self.members]
        return hashlib.sha256(encode(["ringrift/roster/1", members])).digest()

    def table(self) -> list[Value]:
        """Return all members as CBOR arrays."""
        return [member.table() for member in self.members]

    @cached_property
    def _by_id(self) -> dict[MemberId, RosterMember]:
        return {member.id: member for member in self.members}


def make_roster(members: Iterable[RosterMember]) -> Roster:
    """Return a roster of these members, sorted by id. Raise RosterError if they do not make one."""
    return Roster(tuple(sorted(members, key=lambda member: member.id)))


def require_balance(roster: Roster) -> None:
    """Raise RosterError if one of four or more voters has a veto.

    Only rosters that the members agree on are held to this; a proven fault may leave one with a veto.
    """
    member = roster.outweighing
    if member is not None:
        raise RosterError(
            f"member {id_text(member.id)}: weight {member.weight} is a third or more of all "
            f"{roster.total_weight}; with four or more members each must have less"
        )


def parse_roster(value: Decoded) -> Roster:
    """Return the roster of decoded CBOR values. Raise RosterError if they do not make one."""
    if not isinstance(value, list):
        raise RosterError("members must be a list")
    return Roster(tuple(_read_member(entry) for entry in value))


def _read_member(entry: Decoded) -> RosterMember:
    if not isinstance(entry, list) or len(entry) != 4:
        raise RosterError("a member must be [id, weight, anchor, address]")
    identity, weight, anchor, address = entry
    if not isinstance(identity, bytes) or type(weight) is not int:
        raise RosterError("a member must be [32 bytes, whole number, ...]")
    if anchor is not None and not isinstance(anchor, bytes):
        raise RosterError("an anchor must be 32 bytes or null")
    if not isinstance(address, str):
        raise RosterError("an address must be text")
    return RosterMember(identity, weight, anchor, address)


def _check_members(members: tuple[RosterMember, ...]) -> None:
    if not 1 <= len(members) <= MEMBERS_LIMIT:
        raise RosterError(f"members: a swarm has 1 to {MEMBERS_LIMIT} members, not {len(members)}")
    for member in members:
        _check_member(member)
    ids = [member.id for member in members]
    for earlier, later in pairwise(ids):
        if earlier == later:
            raise RosterError(f"member {id_text(later)}: named twice")
        if earlier > later:
            raise RosterError("members: must be sorted by id")
    if not any(member.weight for member in members):
        raise RosterError("members: at least one must have a weight above 0")


def _check_member(member: RosterMember) -> None:
    if not isinstance(member.id, bytes) or len(member.id) != 32:
        raise RosterError("members: an id is a public key of 32 bytes")
    where = f"member {id_text(member.id)}"
    if not is_strict_point(member.id):
        raise RosterError(f"{where}: the id is {NOT_STRICT}")
    if type(member.weight) is not int or not 0 <= member.weight <= WEIGHT_LIMIT:
        raise RosterError(f"{where}: weight must be a whole number up to {WEIGHT_LIMIT}, not {member.weight!r}")
    if member.anchor is not None and len(member.anchor) != 32:
        raise RosterError(f"{where}: an anchor is 32 bytes")
    if len(member.address) > ADDRESS_LIMIT or not member.address.isascii():
        raise RosterError(f"{where}: an address is at most {ADDRESS_LIMIT} ASCII characters")
