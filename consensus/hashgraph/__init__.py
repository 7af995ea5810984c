"""The hashgraph: from a DAG of events to their total order, by virtual voting (`SPEC.md`, S1 to S18).

It knows members by index, events by row, and of an event its parents, time and hash; encoding, signatures
and limits are left to others. Exact with forks, any weights and any insertion order that puts parents first.
"""

from collections import Counter
from collections.abc import Sequence

from consensus.hashgraph.ancestry import NONE, Ancestry
from consensus.hashgraph.fame import Election
from consensus.hashgraph.receive import Decision, Received, Receiver
from consensus.hashgraph.rounds import Rounds

__all__ = ["Decision", "Hashgraph", "Received"]


class Hashgraph:
    """All events of one epoch. `add` events, then `decide` takes what has become final."""

    def __init__(self, weights: Sequence[int], last_time: int | None = None) -> None:
        """Take `weights[m]` >= 0 as the weight of member m. Raise ValueError unless their sum is in 1 .. 2^63 - 1.

        `last_time` (ns) is the final time with which the epoch before ended: times go on ascending (S18).
        """
        if not weights or min(weights) < 0 or not 0 < sum(weights) < 2**63:
            raise ValueError("weights must not be negative, and their sum must be in 1 .. 2^63 - 1")
        self._hashes: list[bytes] = []
        self._famous: set[int] = set()  # witnesses of decided rounds
        self._ancestry = Ancestry(len(weights))
        self._rounds = Rounds(self._ancestry, weights)
        self._receiver = Receiver(self._ancestry, self._hashes, last_time)
        self._election = self._open_election(1)
        self._witness_came = False

    def __len__(self) -> int:
        return len(self._hashes)

    def add(self, creator: int, self_parent: int | None, other_parents: Sequence[int], time: int, digest: bytes) -> int:
        """Add an event as S1 describes it and return its row; rows count from 0.

        The parents are rows; `time` is in ns and fits 64 bits; `digest` is the event's hash, 32 bytes. The
        caller vouches for S1: self-parent by the creator and earlier in time, other-parents distinct and by
        other members.
        """
        row = self._ancestry.add(creator, NONE if self_parent is None else self_parent, other_parents)
        self._hashes.append(digest)
        self._receiver.add(row, time)
        self._witness_came |= self._rounds.add(row)
        return row

    def preview(self, creator: int, self_parent: int | None, other_parents: Sequence[int]) -> tuple[int, bool]:
        """Round (S7) and whether a witness (S8) of the event that `add` would add; nothing changes.

        Both depend on the ancestors alone, so they hold whatever is added before it.
        """
        own = NONE if self_parent is None else self_parent
        parents = tuple(other_parents) if own == NONE else (own, *other_parents)
        row = self._ancestry.draft(creator, own, parents)
        return self._rounds.preview(row, creator, own, parents)

    def decide(self) -> list[Decision]:
        """Return the rounds that have become decided since the last call, in order; they are final (S13)."""
        decisions = []
        while self._witness_came:
            if self._election.update():
                decisions.append(self._close_election())
            else:
                self._witness_came = False
        return decisions

    @property
    def decided(self) -> int:
        """The last decided round, 0 if none."""
        return self._election.number - 1

    def round_of(self, row: int) -> int:
        """S7, from 1."""
        return self._rounds.round.item(row)

    def is_witness(self, row: int) -> bool:
        """S8."""
        return self._rounds.witness.item(row) == row

    def fame(self, row: int) -> bool | None:
        """S12: whether the witness `row` is famous; None if it is undecided or no witness."""
        if not self.is_witness(row):
            return None
        number = self.round_of(row)
        if number <= self.decided:
            return row in self._famous  # a witness that came after its round was decided is not
        election = self._open_election(number)
        election.update()
        return dict(election.fame())[row]

    def is_self_ancestor(self, row: int, of: int) -> bool:
        """S3, for two events by one member: whether `row` is `of` or reached from it through self-parents."""
        return self._ancestry.is_self_ancestor(row, of)

    def has_forked(self, member: int) -> bool:
        """S4: whether two of `member`'s events are on different branches."""
        return self._ancestry.forked[member]

    def forkers(self) -> tuple[int, ...]:
        """Return the members that have forked, ascending."""
        return tuple(sorted(self._ancestry.forkers))

    def _open_election(self, number: int) -> Election:
        return Election(self._ancestry, self._rounds, self._hashes, number)

    def _close_election(self) -> Decision:
        """Close the election of a decided round: S14 gives its judges, and they determine what the round receives."""
        famous = [row for row, fame in self._election.fame() if fame]
        self._famous.update(famous)
        creators = Counter(self._ancestry.creator[row] for row in famous)
        judges = tuple(row for row in famous if creators[self._ancestry.creator[row]] == 1)
        number = self._election.number
        self._rounds.silence(number + 1)
        self._election = self._open_election(number + 1)
        return self._receiver.receive(number, judges)
