"""How fast a member may go, and how it stands."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Pace:
    """How often own events are made. Times in seconds."""

    busy: float = 0.2  # at least between two of them
    heartbeat: float = 5.0  # without anything to do, so that consensus time goes on
    patience: float = 3.0  # for the last members to answer, before the first own event after a start


@dataclass(frozen=True)
class MemberStatus:
    """A member's state for people, as of now."""

    epoch: int  # its number
    listening: bool  # own events are not made yet
    events: int  # of the epoch, attached
    ordered: int  # in all epochs
    pending: int  # own transactions without a place in the order
    round: int  # last decided, 0 if none
    decided_at: float | None  # when that was here, in seconds of trio's clock
    dissent: str = ""  # how the ledger here is not that of the others; empty if it is
    ailment: str = ""  # why no own events are made for now; empty if they are
