"""The shape of `GET /graph`: the newest events of the open epoch, and how they are connected."""

from typing import TypedDict


class GraphMemberInfo(TypedDict):
    """A member whose events are told. Part of `GET /graph`."""

    member: str
    """Id of the member."""
    name: str
    """Name of the member."""


class GraphEventInfo(TypedDict):
    """An event. Part of `GET /graph`."""

    row: int
    """Its number at this node, from 0 in the order in which events became complete here."""
    member: int
    """Whose it is: a place in `members`."""
    seq: int
    """Its number among the member's events of the epoch, from 0."""
    level: int
    """1 more than the highest level of its parents; only differences mean something."""
    parents: list[int]
    """Rows of its parents, as far as they are told."""
    round: int
    """Its round."""
    witness: bool
    """Whether it is the member's first event of the round."""
    famous: bool | None
    """Whether the witness is famous; null if that is not decided, or if it is not a witness."""
    transactions: int
    """How many transactions it carries."""


class GraphInfo(TypedDict):
    """The answer of `GET /graph`: at most 600 events, those with the highest levels."""

    epoch: int
    """Number of the open epoch."""
    decided: int
    """The last decided round of the epoch; 0 before the first."""
    total: int
    """Events of the epoch that this node holds."""
    levels: int
    """How many levels are told; the highest is that of the newest event."""
    members: list[GraphMemberInfo]
    """The members of the epoch, in roster order."""
    events: list[GraphEventInfo]
    """The events, parents first."""
