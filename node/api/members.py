"""The shape of `GET /members`: who is in the swarm, and how this node finds them."""

from typing import Literal, TypedDict

MemberState = Literal["self", "ok", "silent", "refused", "never", "left"]
"""As `PeerState`; "self" is this node, "left" a founder that is no longer a member."""


MemberStanding = Literal["founder", "joined", "no vote", "left"]
"""How a member got in; "no vote" goes before both where its weight is 0."""


class MemberInfo(TypedDict):
    """One entry of the list that `GET /members` answers: a member, this node included, or a founder that left.

    What a member announced in the order (`roles`, `device`, `version`, `rates`, `cost_per_h`, `life_s`) is empty or
    null before it did.
    """

    id: str
    """Member id."""
    name: str
    """Name from swarm.toml, or the first 8 characters of the id."""
    address: str
    """Where peers reach it, as host:port; empty if unknown."""
    weight: int
    """Its weight in votes; 0 if it has none or left."""
    standing: MemberStanding
    """How it got in: "founder", "joined" (later), "no vote" (weight 0) or "left"."""
    roles: list[str]
    """Kinds of work it takes: any of "selfplay", "train", "match"."""
    device: str
    """The name of its GPU, or "cpu"; its workers use the CPU alone."""
    version: str
    """First 12 hex characters of the digest of its program's sources."""
    rates: dict[str, int]
    """Its measured rates per hour, by the name of what is counted; as it announced them."""
    cost_per_h: int | None
    """Cost of an hour of its work in millionths; 0 if it costs nothing."""
    life_s: int | None
    """Seconds it expected to stay when it announced this; null if unknown."""
    events: int
    """Its events of the open epoch that this node holds."""
    games: int
    """Self-play games it has announced, ever."""
    work: str
    """Its live claims in words; empty if it has none."""
    last_contact_s: float | None
    """Seconds since it last said something correct to this node; null for this node and before that."""
    lag_events: int | None
    """Events this node has and it lacked when it last said what it has; null for this node and before that."""
    reached: bool | None
    """Whether it answered, or refused to, when this node asked it last; null for this node and before that."""
    asked_s: float | None
    """Seconds since it last asked this node something, so that it reaches it; null for this node and before that."""
    flaps: int
    """How often it stopped giving usable answers since this node started."""
    error: str
    """Why its last answer was of no use; empty if it was."""
    state: MemberState
    """As a peer's `state` in `GET /status`; "self" is this node, "left" a founder that left."""
