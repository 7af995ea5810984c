"""The shape of `GET /history`: what was delivered when, by configuration and by member."""

from typing import Literal, TypedDict


class MemberHistoryInfo(TypedDict):
    """What one member delivered. Part of `GET /history`."""

    member: str
    """Id of the member."""
    name: str
    """Name of the member."""
    amounts: list[int]
    """What it delivered in each interval."""


class HistoryInfo(TypedDict):
    """The answer of `GET /history`: self-play in equal intervals, as far back as the ledger keeps shards."""

    axis: Literal["clock", "round"]
    """What the intervals are of: seconds of the ledger's clock, or rounds where the ledger does not keep the time."""
    unit: Literal["evaluations", "plies"]
    """What amounts are counted in: evaluations of a network, or plies where costs are not counted."""
    begin: int
    """Where the first interval begins: seconds of the ledger's clock before now, or a round."""
    end: int
    """Where the last one ends: 0, which is now, or the last round."""
    configurations: dict[str, list[int]]
    """What was delivered of each configuration in each interval."""
    members: list[MemberHistoryInfo]
    """What each member delivered; who delivered most comes first."""
