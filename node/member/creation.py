"""Plans own events: when one is worth making, and on which others it builds.

An own event *advances* the swarm if the members on whose new events it builds weigh more than those of our event before
it. New is what the last snapshot does not have, which is of the events that we had built on then. When the members with
new events and we are more than 2/3 of the weight, the snapshot is taken anew. So with a quorum a node can always go on.
Without one it stops by itself after finitely many events, and goes on as soon as events of enough members come again.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from consensus.event import MAX_OTHER_PARENTS, Event
from consensus.roster import Roster

_NO_SEQ = -1  # below the first one


@dataclass(frozen=True)
class Plan:
    """The event to make next: its other-parents, and whether it would advance the swarm."""

    other_parents: tuple[bytes, ...]
    advances: bool


class CreationPlanner:
    """Observes all attached events of an epoch and plans the own ones."""

    def __init__(self, roster: Roster, member: bytes) -> None:
        self._index = {listed: index for index, listed in enumerate(roster.ids)}
        self._weights = [listed.weight for listed in roster.members]
        self._own = self._index[member]
        self._others = [weight if index != self._own else 0 for index, weight in enumerate(self._weights)]
        self._quorum = 2 * sum(self._weights) // 3 + 1
        self._seen: dict[bytes, list[int]] = {}  # event: the highest seq of each member among its ancestors
        self._tips: dict[int, Event] = {}  # newest event of each member
        self._ordered_tips: set[bytes] = set()
        self._snapshot = [_NO_SEQ] * len(self._index)
        self._score = 0  # weight that the newest own event advanced beyond the snapshot
        self._idle = False  # the newest own event did not advance

    def observe_attached(self, event: Event) -> None:
        """Take in an attached event; parents come first."""
        seen = [_NO_SEQ] * len(self._index)
        for parent in event.parents:
            # What a forgotten ancestor saw is not counted: this is a policy, not consensus.
            seen = _higher(seen, self._seen.get(parent, seen))
        creator = self._index[event.creator]
        seen[creator] = max(seen[creator], event.seq)
        self._seen[event.hash] = seen
        newest = self._tips.get(creator)
        if newest is None or event.seq > newest.seq:
            self._tips[creator] = event
            if creator == self._own:
                self._observe_own(seen)
            if newest is not None and newest.hash in self._ordered_tips:
                self._ordered_tips.discard(newest.hash)
                del self._seen[newest.hash]

    def observe_ordered(self, events: Iterable[Event]) -> None:
        """Forget ordered events; those that are still tips, as soon as they are not."""
        tips = {tip.hash for tip in self._tips.values()}
        for event in events:
            if event.hash in tips:
                self._ordered_tips.add(event.hash)
            else:
                self._seen.pop(event.hash, None)

    def seen_by(self, member: bytes) -> Mapping[bytes, int]:
        """Return what the newest event of a member builds on: the highest seq of each, its own included."""
        newest = self._tips.get(self._index[member])
        seen = () if newest is None else self._seen[newest.hash]
        return {listed: seq for listed, seq in zip(self._index, seen, strict=False) if seq != _NO_SEQ}

    def plan(self, excluded: Sequence[int] = ()) -> Plan | None:
        """Plan the next own event; it does not build on events of `excluded` members (indices in the roster).

        Return None if it would not advance and the one before did not either.
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
            seen = _higher(seen, self._seen[fresh.pop(member).hash])
            fresh = {member: tip for member, tip in fresh.items() if tip.seq > seen[member]}
        advances = self._advanced(seen) > self._score or self._is_quorum_alone()
        return Plan(tuple(parents), advances) if advances or not self._idle else None

    def _best(self, fresh: Mapping[int, Event], seen: list[int], first: bool) -> int:
        """Choose the member to build on: `first` the one that was left out most, then those that add most weight."""

        def rank(member: int) -> tuple[int, int, int]:
            left_out = fresh[member].seq - seen[member]
            gain = self._advanced(_higher(seen, self._seen[fresh[member].hash]))
            return (left_out, gain, -member) if first else (gain, left_out, -member)

        return max(fresh, key=rank)

    def _own_seen(self) -> list[int]:
        newest = self._tips.get(self._own)
        return [_NO_SEQ] * len(self._index) if newest is None else list(self._seen[newest.hash])

    def _observe_own(self, seen: list[int]) -> None:
        score = self._advanced(seen)
        self._idle = not (score > self._score or self._is_quorum_alone())
        self._score = score
        if self._supermajority(score + self._weights[self._own]):
            self._snapshot, self._score = seen, 0

    def _advanced(self, seen: list[int]) -> int:
        """Return the weight of the other members of whom `seen` has more than the snapshot."""
        parts = zip(self._others, seen, self._snapshot, strict=True)
        return sum([weight for weight, now, before in parts if now > before])

    def _is_quorum_alone(self) -> bool:
        """Return whether our weight alone is a quorum."""
        return self._supermajority(self._weights[self._own])

    def _supermajority(self, weight: int) -> bool:
        return weight >= self._quorum


def _higher(seqs: Sequence[int], others: Sequence[int]) -> list[int]:
    """Return the higher one of each two, at about half of the cost of `map(max, seqs, others)`."""
    return [seq if seq > other else other for seq, other in zip(seqs, others, strict=True)]
