"""The record that founds a swarm: its name, members with weights, settings. Its digest names the swarm."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

from consensus.encoding import Decoded, EncodingError, Value, decode, encode
from consensus.keys import MemberId, id_text
from consensus.settings import Settings, SettingsError

VERSION = 1
MEMBERS_LIMIT = 256
WEIGHT_LIMIT = 2**32
SIZE_LIMIT = 1 << 16
NAME = re.compile(r"[^\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]{1,64}")


class GenesisError(ValueError):
    """A genesis that cannot found a swarm; the message is one line that says what and where."""


@dataclass(frozen=True)
class Member:
    """A member by its Ed25519 public key (32 bytes) and its weight in every vote."""

    id: MemberId
    weight: int


@dataclass(frozen=True)
class Genesis:
    """Name, members sorted by id (the order is the member index of the hashgraph), settings. Checked."""

    swarm: str
    members: tuple[Member, ...]
    settings: Settings

    def __post_init__(self) -> None:
        if NAME.fullmatch(self.swarm) is None:
            raise GenesisError(f"swarm name {self.swarm!r}: must be one line of 1 to 64 characters")
        _check_members(self.members)

    @cached_property
    def total_weight(self) -> int:
        """W, the weight of all members."""
        return sum(member.weight for member in self.members)

    @cached_property
    def weights(self) -> dict[MemberId, int]:
        """Weight by member id."""
        return {member.id: member.weight for member in self.members}

    def supermajority(self, members: Iterable[MemberId]) -> bool:
        """Whether these distinct members weigh more than 2/3 of all."""
        return 3 * sum(self.weights[member] for member in members) > 2 * self.total_weight

    @cached_property
    def roster_digest(self) -> bytes:
        """SHA-256 of the members and weights alone."""
        members: Value = [[member.id, member.weight] for member in self.members]
        return hashlib.sha256(encode(["ringrift/roster/1", members])).digest()

    @cached_property
    def raw(self) -> bytes:
        """The canonical bytes."""
        return encode(
            {
                "version": VERSION,
                "swarm": self.swarm,
                "members": [[member.id, member.weight] for member in self.members],
                "settings": self.settings.table(),
            }
        )

    def encode(self) -> bytes:
        """The canonical bytes of the record."""
        return self.raw

    @cached_property
    def digest(self) -> bytes:
        """SHA-256 of the canonical bytes: the name of the swarm and of its first epoch."""
        return hashlib.sha256(self.raw).digest()


def make_genesis(swarm: str, members: Iterable[Member], settings: Settings) -> Genesis:
    """A genesis with the members put in order; GenesisError says what is wrong."""
    return Genesis(swarm, tuple(sorted(members, key=lambda member: member.id)), settings)


def decode_genesis(data: bytes) -> Genesis:
    """The genesis of these bytes; anything but exact canonical bytes is a GenesisError."""
    try:
        value = decode(data, limit=SIZE_LIMIT)
    except EncodingError as error:
        raise GenesisError(f"genesis: {error}") from None
    if not isinstance(value, dict) or sorted(value) != ["members", "settings", "swarm", "version"]:
        raise GenesisError("genesis: must have the fields members, settings, swarm, version")
    if value["version"] != VERSION:
        raise GenesisError(f"genesis: version {value['version']!r} is unknown; this program knows {VERSION}")
    genesis = Genesis(_text(value["swarm"]), _members(value["members"]), _settings(value["settings"]))
    if genesis.raw != data:
        raise GenesisError("genesis: not in canonical form (sorted members, all settings, lowest terms)")
    return genesis


def _check_members(members: tuple[Member, ...]) -> None:
    if not 1 <= len(members) <= MEMBERS_LIMIT:
        raise GenesisError(f"members: a swarm has 1 to {MEMBERS_LIMIT} members, not {len(members)}")
    for member in members:
        if not isinstance(member.id, bytes) or len(member.id) != 32:
            raise GenesisError("members: an id is a public key of 32 bytes")
        if type(member.weight) is not int or not 1 <= member.weight <= WEIGHT_LIMIT:
            where = f"member {id_text(member.id)}"
            raise GenesisError(f"{where}: weight must be a whole number from 1, not {member.weight!r}")
    ids = [member.id for member in members]
    for earlier, later in pairwise(ids):
        if earlier == later:
            raise GenesisError(f"member {id_text(later)}: named twice")
        if earlier > later:
            raise GenesisError("members: must be sorted by id")
    total = sum(member.weight for member in members)
    for member in members:
        if len(members) >= 4 and 3 * member.weight >= total:
            raise GenesisError(
                f"member {id_text(member.id)}: weight {member.weight} is a third or more of all {total}; "
                "with four or more members each must have less"
            )


def _text(value: Decoded) -> str:
    if not isinstance(value, str):
        raise GenesisError("genesis: the swarm's name must be text")
    return value


def _members(value: Decoded) -> tuple[Member, ...]:
    if not isinstance(value, list):
        raise GenesisError("genesis: members must be a list")
    members = []
    for entry in value:
        if not isinstance(entry, list) or len(entry) != 2:
            raise GenesisError("genesis: a member must be [id, weight]")
        identity, weight = entry
        if not isinstance(identity, bytes) or type(weight) is not int:
            raise GenesisError("genesis: a member must be [32 bytes, whole number]")
        members.append(Member(identity, weight))
    return tuple(members)


def _settings(value: Decoded) -> Settings:
    if not isinstance(value, dict):
        raise GenesisError("genesis: settings must be a table")
    tables = {name: table for name, table in value.items() if name != "configurations"}
    try:
        return Settings.read(value.get("configurations"), tables)
    except SettingsError as error:
        raise GenesisError(f"genesis: {error}") from None
