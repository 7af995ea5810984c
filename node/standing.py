"""How a member stands, for status pages, metrics and tests."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Standing:
    """A member's state for people, as of now."""

    epoch: int  # its number
    listening: bool  # own events are not made yet
    events: int  # of the epoch, attached
    ordered: int  # in all epochs
    pending: int  # own transactions without a place in the order
    round: int  # last decided, 0 if none
    decided_at: float | None  # when that was here, in seconds of trio's clock
    ailment: str = ""  # why no own events are made for now; empty if they are
