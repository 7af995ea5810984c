"""Changes of the roster, what comes of them, and the proposals that members vote on."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass, replace
from typing import Literal, get_args

from consensus.encoding import Value
from consensus.keys import MemberId
from consensus.ledger.records.entities import Place
from consensus.ledger.records.entity import Entity
from consensus.roster import Roster, RosterError, RosterMember, make_roster

ChangeKind = Literal["join", "leave", "weight", "key", "address"]
KINDS: tuple[ChangeKind, ...] = get_args(ChangeKind)
FIELDS: dict[ChangeKind, frozenset[str]] = {
    "join": frozenset({"weight", "address", "anchor"}),
    "leave": frozenset(),
    "weight": frozenset({"weight"}),
    "key": frozenset({"key", "anchor", "address"}),
    "address": frozenset({"address"}),
}
"""What each kind says besides the member."""
OPTIONAL: dict[ChangeKind, frozenset[str]] = {"join": frozenset({"anchor"}), "key": frozenset({"anchor", "address"})}
"""What of it may be missing. A key is one that swarm.toml does not list, so it needs an address from elsewhere."""


@dataclass(frozen=True)
class Change(Entity):
    """One change; the fields that its kind has not are None."""

    kind: ChangeKind
    member: MemberId
    _: KW_ONLY
    weight: int | None = None
    address: str | None = None  # host:port
    key: bytes | None = None  # the id that replaces the member's
    anchor: bytes | None = None  # of the new key's preimages in the epoch in which it begins

    def table(self) -> dict[str, Value]:
        """Return the CBOR map of a `propose` transaction."""
        return {
            "kind": self.kind, "member": self.member, "weight": self.weight,
            "address": self.address, "key": self.key, "anchor": self.anchor,
        }  # fmt: skip

    def applied(self, roster: Roster) -> Roster:
        """Return the roster after this change. Raise RosterError if it does not fit, or changes nothing."""
        if self.kind == "join":
            if self.member in roster:
                raise RosterError("it is a member already")
            joining = RosterMember(self.member, self.weight or 0, self.anchor, self.address or "")
            return make_roster([*roster.members, joining])
        if self.member not in roster:
            raise RosterError("it is no member")
        present = roster.member(self.member)
        others = [member for member in roster.members if member is not present]
        if self.kind == "leave":
            return make_roster(others)
        changed = self._changed(present)
        if changed == present:
            raise RosterError("that is how it is already")
        return make_roster([*others, changed])

    def _changed(self, present: RosterMember) -> RosterMember:
        if self.kind == "weight":
            return replace(present, weight=self.weight or 0)
        if self.kind == "address":
            return replace(present, address=self.address or "")
        address = present.address if self.address is None else self.address
        return replace(present, id=self.key or present.id, anchor=self.anchor, address=address)


@dataclass(frozen=True)
class ProposalBallot(Entity):
    """What one member says to a proposal."""

    author: MemberId
    approve: bool


@dataclass(frozen=True, kw_only=True)
class Proposal(Entity):
    """A change of the roster that the members vote on."""

    id: bytes
    author: MemberId | None  # None: the rules of the genesis made it
    change: Change
    reason: str
    place: Place
    deadline: int  # by the ledger's clock, ns
    ballots: tuple[ProposalBallot, ...] = ()
