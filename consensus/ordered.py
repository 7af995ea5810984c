"""What consensus hands to the ledger: the events of a decided round, in their final order."""

from dataclasses import dataclass

from consensus.event import Event


@dataclass(frozen=True, slots=True)
class Ordered:
    """One event at its place in the order of the whole epoch."""

    event: Event
    round: int  # round received (SPEC S15)
    time: int  # final consensus time, ns; strictly ascending along the order (S18)
    index: int  # position in the whole order, from 0


@dataclass(frozen=True, slots=True)
class DecidedRound:
    """A decided round: nothing in it changes any more, at any honest node."""

    number: int  # from 1, without gaps
    judges: tuple[bytes, ...]  # event hashes of its judges (S14), ascending
    events: tuple[Ordered, ...]  # the events it receives, in order (S17); may be empty
