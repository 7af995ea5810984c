"""The genesis record, which founds a swarm: name, members with weights, settings. Its digest names the swarm."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from consensus.encoding import Decoded, EncodingError, Value, decode, encode
from consensus.keys import MemberId, id_text, is_strict_point
from consensus.roster import MEMBERS_LIMIT, Roster, RosterError, RosterMember, parse_roster, require_balance
from consensus.settings import Settings, SettingsError, format_value

VERSION = 4
EARLIER_VERSION = 3  # of swarms that only older programs run; what they sealed is verified for ever
SIZE_LIMIT = 1 << 16
NAME = re.compile(r"[^\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]{1,64}")


class GenesisError(ValueError):
    """A genesis that cannot found a swarm: one line that says what is wrong and where."""


@dataclass(frozen=True)
class Genesis:
    """The swarm's name, its founding members sorted by id, its settings, and its operators. Checked when made.

    Operators are members, at the founding or later, whose word alone pauses and resumes work. Without any it takes a
    ballot.

    This program's rules are those of `VERSION`. Of a genesis of `EARLIER_VERSION` it only reads what the swarm sealed.
    """

    swarm: str
    members: tuple[RosterMember, ...]
    settings: Settings
    version: int = VERSION
    operators: tuple[MemberId, ...] = ()  # sorted

    def __post_init__(self) -> None:
        if NAME.fullmatch(self.swarm) is None:
            raise GenesisError(f"swarm name {format_value(self.swarm)}: must be one line of 1 to 64 characters")
        for member in self.members:
            if type(member.weight) is int and member.weight == 0:
                raise GenesisError(f"member {id_text(member.id)}: weight must be a whole number from 1, not 0")
        if self.version != VERSION and not (self.version == EARLIER_VERSION and self.settings.is_earlier):
            raise GenesisError(f"genesis: version {self.version} does not have these settings")
        _ = self.roster  # making it checks the members
        self._check_operators()

    def _check_operators(self) -> None:
        if self.operators and not self.settings.steering.rules:
            raise GenesisError("operators: only a swarm with steering.rules = 1 has any")
        if len(self.operators) > MEMBERS_LIMIT:
            raise GenesisError(f"operators: at most {MEMBERS_LIMIT}, not {len(self.operators)}")
        if list(self.operators) != sorted(set(self.operators)):
            raise GenesisError("operators: must be sorted and distinct")
        for operator in self.operators:
            if type(operator) is not bytes or not is_strict_point(operator):
                raise GenesisError("operators: must be ids of members")

    @cached_property
    def roster(self) -> Roster:
        """The members of the first epoch."""
        try:
            roster = Roster(self.members)
            require_balance(roster)
        except RosterError as error:
            raise GenesisError(str(error)) from None
        return roster

    @cached_property
    def raw(self) -> bytes:
        """The canonical bytes."""
        table: dict[str, Value] = {
            "version": self.version,
            "swarm": self.swarm,
            "members": self.roster.table(),
            "settings": self.settings.table(),
        }
        if self.operators:  # they came when swarms were in use
            table["operators"] = list(self.operators)
        return encode(table)

    def encode(self) -> bytes:
        """Return the canonical bytes."""
        return self.raw

    @cached_property
    def digest(self) -> bytes:
        """SHA-256 of the canonical bytes: it names the swarm and its first epoch."""
        return hashlib.sha256(self.raw).digest()


def make_genesis(
    swarm: str, members: Iterable[RosterMember], settings: Settings, operators: Iterable[MemberId] = ()
) -> Genesis:
    """Return a genesis with the members and operators sorted by id. Raise GenesisError if it cannot found a swarm."""
    founders = tuple(sorted(members, key=lambda member: member.id))
    return Genesis(swarm, founders, settings, operators=tuple(sorted(operators)))


def decode_genesis(data: bytes) -> Genesis:
    """Return the genesis in `data`. Raise GenesisError for anything but its exact canonical bytes."""
    try:
        value = decode(data, limit=SIZE_LIMIT)
    except EncodingError as error:
        raise GenesisError(f"genesis: {error}") from None
    if not isinstance(value, dict) or value.keys() - {"operators"} != {"members", "settings", "swarm", "version"}:
        raise GenesisError("genesis: must have the fields members, settings, swarm, version")
    version = value["version"]
    if type(version) is not int or version not in (EARLIER_VERSION, VERSION):
        known = f"{EARLIER_VERSION} and {VERSION}"
        raise GenesisError(f"genesis: version {format_value(version)} is unknown; this program knows {known}")
    genesis = Genesis(
        _text(value["swarm"]),
        _members(value["members"]),
        _settings(value["settings"]),
        version,
        operators=_operators(value.get("operators", [])),
    )
    if genesis.raw != data:
        raise GenesisError("genesis: not in canonical form (sorted members, all settings, lowest terms)")
    return genesis


def _text(value: Decoded) -> str:
    if not isinstance(value, str):
        raise GenesisError("genesis: the swarm's name must be text")
    return value


def _members(value: Decoded) -> tuple[RosterMember, ...]:
    try:
        return parse_roster(value).members
    except RosterError as error:
        raise GenesisError(f"genesis: {error}") from None


def _operators(value: Decoded) -> tuple[MemberId, ...]:
    if not isinstance(value, list) or not all(isinstance(entry, bytes) for entry in value):
        raise GenesisError("genesis: operators must be a list of ids")
    return tuple(entry for entry in value if isinstance(entry, bytes))


def _settings(value: Decoded) -> Settings:
    try:
        return Settings.parse_table(value)
    except SettingsError as error:
        raise GenesisError(f"genesis: {error}") from None
