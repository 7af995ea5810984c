"""What consensus hands to the ledger: the events of a decided round, in their final order."""

from dataclasses import dataclass

from consensus.event import Event
from consensus.keys import MemberId


@dataclass(frozen=True, slots=True)
class OrderedEvent:
    """An event at its place in the order, which runs through all epochs."""

    event: Event
    round: int  # round received (SPEC S15)
    time: int  # final consensus time, ns; strictly ascending along the order (S18)
    index: int  # position in the whole order, over all epochs, from 0


@dataclass(frozen=True, slots=True)
class Judge:
    """A judge of a decided round (SPEC S14): its hash, its creator, and the preimage that it reveals, if any."""

    hash: bytes
    creator: MemberId
    reveal: bytes | None


@dataclass(frozen=True, slots=True)
class DecidedRound:
    """A decided round: it never changes again, at any honest node."""

    number: int  # from 1, without gaps
    judges: tuple[Judge, ...]  # ascending by hash; of distinct creators
    events: tuple[OrderedEvent, ...]  # the events it receives, in order (S17); may be empty
