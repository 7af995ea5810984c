"""How often peers are asked."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Rhythm:
    """The times and counts by which gossip goes."""

    busy_s: float = 0.075  # from one exchange to the next, with whichever peers
    idle_s: float = 1.5  # the same while nobody needs anything
    calm_s: float = 2.0  # after nobody waits for rounds any more; then heartbeats are fetched, not brought
    timeout_s: float = 10.0  # for an answer
    exchanges: int = 16  # in a row with one peer
    recent_s: float = 10.0  # a peer that spoke so long ago, and `idle_s` longer for each member, is still in touch

    def in_touch_s(self, members: int) -> float:
        """Return for how many seconds a peer may be silent, in a roster of so many members, and still be in touch."""
        return self.recent_s + self.idle_s * members
