"""A piece of work that a member can claim."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from consensus.ledger.records.entities import WorkKind
from consensus.ledger.records.transactions import MatchClaim, RateClaim, SelfplayClaim, TrainClaim, Transaction

Subject: TypeAlias = tuple[WorkKind, str, bytes | None]
"""Kind of work, configuration, and of a match the candidate, of a rating the series."""


@dataclass(frozen=True, kw_only=True)
class Work:
    """A piece of work that a member should claim."""

    kind: WorkKind
    configuration: str
    amount: int  # games, or training steps
    model: bytes  # which plays, is the incumbent of the match or is rated; or from which training starts
    family: str = ""  # training: the architecture
    candidate: bytes | None = None  # match; rating: the series

    @property
    def subject(self) -> Subject:
        """The kind of work, its configuration and, of a match or a rating, what is played."""
        return self.kind, self.configuration, self.candidate

    def claim(self, number: int) -> Transaction:
        """Return the claim for this work, with `number` as its transaction id."""
        if self.kind == "selfplay":
            return SelfplayClaim(number, self.configuration, self.amount)
        if self.kind == "train":
            return TrainClaim(number, self.configuration, self.family)
        assert self.candidate is not None
        if self.kind == "rate":
            return RateClaim(number, self.candidate)
        return MatchClaim(number, self.candidate)
