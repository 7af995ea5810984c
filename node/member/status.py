"""A member's state, as status pages and metrics show it."""

from dataclasses import dataclass

from node.system.histogram import Histogram


@dataclass(frozen=True, kw_only=True)
class MemberStatus:
    """A member's state as of now."""

    epoch: int  # its number
    listening: bool  # own events are not made yet
    events: int  # attached in this epoch
    ordered: int  # in all epochs
    pending: int  # own transactions without a place in the order
    round: int  # the last decided one; 0 if none
    decided_at: float | None  # when that was here, in seconds of trio's clock
    rounds: Histogram  # seconds from one decided round to the next, since the start
    dissent: str = ""  # how the ledger here differs from the others'; empty if it does not
    second_instance: str = ""  # what another process has done with our key; empty if there is none
    ailment: str = ""  # why no own events are made for now; empty if they are
