"""When a node makes an event, and on top of which others: so that all advance, and nobody talks to the wind.

An own event *advances* the swarm if members whose events it is the first of ours to build on, since the last
snapshot, weigh more than with our event before it. When these members and we are more than 2/3 of the weight,
the snapshot is taken anew. So with a quorum one can always go on, and without one it ends by itself after
finitely many events, and goes on as soon as enough members are heard again.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from consensus.event import MAX_OTHER_PARENTS, Event
from consensus.roster import Roster

_NOTHING = -1  # the seq below the first


@dataclass(frozen=True)
class Plan:
    """The event to make next: its other-parents, and whether it would advance the swarm."""

    other_parents: tuple[bytes, ...]
    advances: bool


class Creation:
    """Follows all attached events of an epoch and plans the own ones."""

    def __init__(self, roster: Roster, member: bytes) -> None:
        self._index = {listed: index for index, listed in enumerate(roster.ids)}
        self._weights = [listed.weight for listed in roster.members]
        self._own = self._index[member]
        self._seen: dict[bytes, list[int]] = {}  # event: the highest seq of each member among its ancestors
        self._tips: dict[int, Event] = {}  # newest event of each member
        self._ordered_tips: set[bytes] = set()
        self._snapshot = [_NOTHING] * len(self._index)
        self._score = 0  # weight that the newest own event advanced beyond the snapshot
        self._bare = False  # the newest own event did not advance

    def attach(self, event: Event) -> None:
        """Takes note of an attached event; parents come first."""
        seen = [_NOTHING] * len(self._index)
        for parent in event.parents:
            # Of an ancestor that was forgotten, what it saw is not counted: this is a policy, not consensus.
            seen = list(map(max, seen, self._seen.get(parent, seen)))
        creator = self._index[event.creator]
        seen[creator] = max(seen[creator], event.seq)
        self._seen[event.hash] = seen
        newest = self._tips.get(creator)
        if newest is None or event.seq > newest.seq:
            self._tips[creator] = event
            if creator == self._own:
                self._continue(seen)
            if newest is not None and newest.hash in self._ordered_tips:
                self._ordered_tips.discard(newest.hash)
                del self._seen[newest.hash]

    def forget(self, events: Iterable[Event]) -> None:
        """Drops what is kept about ordered events; of those that are still tips, when they no longer are."""
        tips = {tip.hash for tip in self._tips.values()}
        for event in events:
            if event.hash in tips:
                self._ordered_tips.add(event.hash)
            else:
                self._seen.pop(event.hash, None)

    def plan(self, excluded: Sequence[int] = ()) -> Plan | None:
        """What the next own event would be; `excluded` members (by index) are no parents.

        None if it would not advance and the one before did not either.
        """
        seen = self._own_seen()
        fresh = {
            member: tip
            for member, tip in self._tips.items()
            if tip.seq > seen[member] and member != self._own and member not in excluded
        }
        parents: list[bytes] = []
        while fresh and len(parents) < MAX_OTHER_PARENTS:
            member = self._best(fresh, seen, first=not parents)
            parents.append(fresh[member].hash)
            seen = list(map(max, seen, self._seen[fresh.pop(member).hash]))
            fresh = {member: tip for member, tip in fresh.items() if tip.seq > seen[member]}
        advances = self._advanced(seen) > self._score or self._alone()
        return Plan(tuple(parents), advances) if advances or not self._bare else None

    def _best(self, fresh: Mapping[int, Event], seen: list[int], first: bool) -> int:
        """The member to build on: the first is who was left out most, the others who add most weight."""

        def rank(member: int) -> tuple[int, int, int]:
            left_out = fresh[member].seq - seen[member]
            gain = self._advanced(list(map(max, seen, self._seen[fresh[member].hash])))
            return (left_out, gain, -member) if first else (gain, left_out, -member)

        return max(fresh, key=rank)

    def _own_seen(self) -> list[int]:
        newest = self._tips.get(self._own)
        return [_NOTHING] * len(self._index) if newest is None else list(self._seen[newest.hash])

    def _continue(self, seen: list[int]) -> None:
        score = self._advanced(seen)
        self._bare = not (score > self._score or self._alone())
        self._score = score
        if self._supermajority(score + self._weights[self._own]):
            self._snapshot, self._score = seen, 0

    def _advanced(self, seen: list[int]) -> int:
        """Weight of the other members of whom `seen` has more than the snapshot."""
        return sum(
            weight
            for member, weight in enumerate(self._weights)
            if member != self._own and seen[member] > self._snapshot[member]
        )

    def _alone(self) -> bool:
        return self._supermajority(self._weights[self._own])

    def _supermajority(self, weight: int) -> bool:
        return 3 * weight > 2 * sum(self._weights)
