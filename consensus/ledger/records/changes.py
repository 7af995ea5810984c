"""Changes of the roster, the rosters that result from them, and the proposals that members vote on."""

from __future__ import annotations

import re
from dataclasses import KW_ONLY, dataclass, replace
from typing import ClassVar, Literal, get_args

from consensus.encoding import Value
from consensus.keys import MemberId
from consensus.ledger.records.decisions import SteeringChange
from consensus.ledger.records.effects import Scalar
from consensus.ledger.records.entities import Place
from consensus.ledger.records.entity import Entity
from consensus.roster import Roster, RosterError, RosterMember, make_roster

ChangeKind = Literal["join", "leave", "weight", "key", "address"]
KINDS: tuple[ChangeKind, ...] = get_args(ChangeKind)
FIELDS: dict[ChangeKind, frozenset[str]] = {
    "join": frozenset({"weight", "address", "anchor", "name"}),
    "leave": frozenset(),
    "weight": frozenset({"weight"}),
    "key": frozenset({"key", "anchor", "address", "name"}),
    "address": frozenset({"address"}),
}
"""The fields of each kind besides the member."""
OPTIONAL: dict[ChangeKind, frozenset[str]] = {
    "join": frozenset({"anchor", "name"}),
    "key": frozenset({"anchor", "address", "name"}),
}
"""The fields of each kind that may be null. A new key may need an address, because swarm.toml does not list it."""

MEMBER_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,31}")
"""Names that members agree on: ASCII, so that no two look alike but are not."""


@dataclass(frozen=True)
class Change(Entity):
    """A change of the roster; the fields that its kind does not have are None."""

    LATER: ClassVar[int] = 1
    kind: ChangeKind
    member: MemberId
    _: KW_ONLY
    weight: int | None = None
    address: str | None = None  # host:port
    key: bytes | None = None  # the id that replaces the member's
    anchor: bytes | None = None  # of the new key's preimages in its first epoch
    name: str | None = None  # of whoever joins, or goes on with the new key; only with `membership.names`

    def table(self) -> dict[str, Value]:
        """Return the CBOR map in a `propose` transaction."""
        return {
            "kind": self.kind,
            "member": self.member,
            "weight": self.weight,
            "address": self.address,
            "key": self.key,
            "anchor": self.anchor,
            **self._name_table(),
        }

    def about(self) -> dict[str, Scalar]:
        """Return what effects say of it."""
        return {
            "change": self.kind,
            "subject": self.member,
            "weight": self.weight,
            "address": self.address,
            "key": self.key,
            **self._name_table(),
        }

    def _name_table(self) -> dict[str, str]:
        """Return the name under "name" if there is one: it came when swarms were in use."""
        return {} if self.name is None else {"name": self.name}

    def applied(self, roster: Roster) -> Roster:
        """Return the roster after this change. Raise RosterError if it does not fit or changes nothing."""
        if self.kind == "join":
            if self.member in roster:
                raise RosterError("it is already a member")
            joining = RosterMember(self.member, self.weight or 0, self.anchor, self.address or "")
            return make_roster([*roster.members, joining])
        if self.member not in roster:
            raise RosterError("it is not a member")
        present = roster.member(self.member)
        others = [member for member in roster.members if member is not present]
        if self.kind == "leave":
            return make_roster(others)
        changed = self._changed(present)
        if changed == present:
            raise RosterError("it would change nothing")
        return make_roster([*others, changed])

    def _changed(self, present: RosterMember) -> RosterMember:
        if self.kind == "weight":
            return replace(present, weight=self.weight or 0)
        if self.kind == "address":
            return replace(present, address=self.address or "")
        address = present.address if self.address is None else self.address
        return replace(present, id=self.key or present.id, anchor=self.anchor, address=address)


def concerns(change: Change | SteeringChange, member: MemberId) -> bool:
    """Return whether a change is one of this member."""
    return isinstance(change, Change) and change.member == member


@dataclass(frozen=True)
class ProposalBallot(Entity):
    """A member's vote on a proposal."""

    author: MemberId
    approve: bool


@dataclass(frozen=True, kw_only=True)
class Proposal(Entity):
    """A change of the roster, or of what the swarm does, that the members vote on."""

    id: bytes
    author: MemberId | None  # None: a rule of the genesis made it
    change: Change | SteeringChange
    reason: str
    place: Place
    deadline: int  # by the ledger's clock, ns
    ballots: tuple[ProposalBallot, ...] = ()
