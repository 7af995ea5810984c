"""What the ledger remembers of stalls: work that was held in vain, and data that members cannot fetch."""

from __future__ import annotations

from dataclasses import dataclass

from consensus.keys import MemberId
from consensus.ledger.records.entities import Place
from consensus.ledger.records.entity import Entity


@dataclass(frozen=True)
class Vain(Entity):
    """What came to nothing of a member's work on a match, or on the candidates of a configuration."""

    subject: bytes  # the candidate of the match; of a configuration see `rules.turns`
    member: MemberId
    held: int = 0  # for how long the member held slots of the match without a result, ns
    failures: int = 0  # in a row
    until: int = 0  # when the member may claim or nominate again, on the ledger's clock, ns


@dataclass(frozen=True)
class Absence(Entity):
    """A member's word that it cannot fetch the games of a slot, or the files of a candidate (`slot` is None)."""

    candidate: bytes
    slot: int | None
    subject: bytes  # the digest of the slot's report; of the model
    author: MemberId
    place: Place

    @property
    def key(self) -> tuple[bytes, bytes, MemberId]:
        """The one word of this member about this in this match: a model can be a candidate in several."""
        return self.candidate, self.subject, self.author

    def is_of_same(self, other: Absence) -> bool:
        """Return whether two members miss the same."""
        return (self.candidate, self.subject) == (other.candidate, other.subject)
