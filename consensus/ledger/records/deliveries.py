"""What was delivered to a configuration: the cost of its counted games in a sliding window of the ledger's clock."""

from __future__ import annotations

from dataclasses import dataclass

from consensus.ledger.records.entity import Entity, Once, replace

BUCKETS = 16
"""Parts of a window. What was delivered leaves the window with its part, so that the record stays small."""

_LARGEST = 2**62
"""Sums stop here: what liars announce must not exceed what can be encoded."""


@dataclass(frozen=True)
class Bucket(Entity):
    """What was delivered in one part of the window."""

    start: int  # ns of the ledger's clock
    cost: int  # thousandths of an evaluation, see `consensus.ledger.rules.costs`
    games: int


@dataclass(frozen=True, kw_only=True)
class Deliveries(Entity):
    """The counted games of one configuration. Costs are thousandths of an evaluation."""

    configuration: str
    cost: int = 0  # of all so far
    newest: int = 0  # the ledger's clock when the last games came, ns; 0: none yet
    buckets: tuple[Bucket, ...] = ()  # ascending

    def add(self, clock: int, window_ns: int, cost: int, games: int) -> Deliveries:
        """Return the record with games that were delivered now; parts that have left the window are dropped."""
        width = max(1, window_ns // BUCKETS)
        start = clock - clock % width
        kept = [bucket for bucket in self.buckets if bucket.start > clock - window_ns]
        same = kept.pop() if kept and kept[-1].start >= start else Bucket(start, 0, 0)
        kept.append(Bucket(same.start, min(same.cost + cost, _LARGEST), same.games + games))
        return replace(self, cost=min(self.cost + cost, _LARGEST), newest=clock, buckets=tuple(kept[-BUCKETS - 1 :]))

    def remove(self, clock: int, cost: int, games: int) -> Deliveries:
        """Return the record without games that were delivered at `clock` and do not count after all."""
        places = [place for place, bucket in enumerate(self.buckets) if bucket.start <= clock]
        buckets = list(self.buckets)
        if places:
            old = buckets[places[-1]]
            buckets[places[-1]] = Bucket(old.start, max(0, old.cost - cost), max(0, old.games - games))
        return replace(self, cost=max(0, self.cost - cost), buckets=tuple(buckets))

    def within(self, clock: int, window_ns: int) -> tuple[int, int]:
        """Return the cost and the games that were delivered in the window that ends now."""
        cost, games = self._kept
        for bucket in self.buckets:
            if bucket.start > clock - window_ns:
                break
            cost, games = cost - bucket.cost, games - bucket.games
        return cost, games

    @Once
    def _kept(self) -> tuple[int, int]:
        """The cost and the games of all parts that are kept; few of them are out of the window."""
        return sum(bucket.cost for bucket in self.buckets), sum(bucket.games for bucket in self.buckets)
