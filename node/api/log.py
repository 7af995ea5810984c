"""The shape of `GET /log`: what the order brought."""

from typing import TypedDict


class LogEntry(TypedDict):
    """One entry of the list that `GET /log?after=NUMBER` answers: an effect of the order, such as a promotion.

    The list has the oldest entries with a larger number that this node still keeps, at most 500 of them. Without
    `after` it begins with the oldest one kept.
    """

    number: int
    """Number of the entry; grows along the order, and is the same at all nodes and after a restart. Ask for those after
    the last one you have."""
    kind: str
    """Kind of effect, such as "claim", "games", "candidate", "promotion" or "epoch"."""
    member: str
    """Id of the member that caused it; empty if none did."""
    name: str
    """Name of that member; empty if there is none."""
    round: int
    """Round that brought it."""
    time: int
    """Consensus time, nanoseconds since 1970."""
    fields: dict[str, str | int | bool | None]
    """What the effect says further, by kind; digests in hex, and the name of a member it concerns."""
