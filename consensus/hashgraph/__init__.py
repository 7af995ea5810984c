"""The hashgraph: the total order of the events of a DAG, by virtual voting (`SPEC.md`, S1 to S18).

It identifies members by index and events by row, and knows an event's parents, time and hash. Encoding, signatures and
limits are handled elsewhere. It is exact with forks, any weights and any insertion order that puts parents first.
"""

from collections import Counter
from collections.abc import Sequence

from consensus.hashgraph.ancestry import FORKED, NONE, Ancestry, Rows
from consensus.hashgraph.fame import Election
from consensus.hashgraph.receive import Decision, Received, Receiver
from consensus.hashgraph.rounds import Rounds

__all__ = ["FORKED", "Decision", "Hashgraph", "Received"]


class Hashgraph:
    """All events of one epoch: `add` events, then `decide` returns what has become final."""

    def __init__(self, weights: Sequence[int], last_time: int | None = None) -> None:
        """Start without events; `weights[m]` >= 0 is the weight of member m.

        `last_time` (ns) is the final time at the end of the epoch before: times go on ascending (S18). Raise ValueError
        unless the sum of the weights is in 1 .. 2^63 - 1.
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

        The parents are rows; `time` is in ns and fits 64 bits; `digest` is the event's hash, 32 bytes. The caller
        guarantees S1: a self-parent by the creator and earlier in time, other-parents distinct and by other members.
        """
        row = self._ancestry.add(creator, NONE if self_parent is None else self_parent, other_parents)
        self._hashes.append(digest)
        self._receiver.add(row, time)
        self._witness_came |= self._rounds.add(row)
        return row

    def preview(self, creator: int, self_parent: int | None, other_parents: Sequence[int]) -> tuple[int, bool]:
        """Return the round (S7) of the event that `add` would add, and whether it is a witness (S8). Change nothing.

        Both depend on the ancestors alone, so they stay true whatever is added before the event.
        """
        own = NONE if self_parent is None else self_parent
        parents = tuple(other_parents) if own == NONE else (own, *other_parents)
        row = self._ancestry.draft(creator, own, parents)
        return self._rounds.preview(row, creator, own, parents)

    def preview_last(self, creator: int, self_parent: int | None, other_parents: Sequence[int]) -> Rows:
        """Return `last` of the event that `add` would add; it is overwritten by the next call of anything here."""
        own = NONE if self_parent is None else self_parent
        parents = tuple(other_parents) if own == NONE else (own, *other_parents)
        row = self._ancestry.draft(creator, own, parents)  # this may replace `last` by a longer array
        return self.last(row)

    def last(self, row: int) -> Rows:
        """Return, per member, the row of its last event among the ancestors of `row`, NONE or FORKED: see `Ancestry`.

        The array must not be changed.
        """
        last: Rows = self._ancestry.last[row]
        return last

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
        """Return the round of `row`, from 1 (S7)."""
        return self._rounds.round.item(row)

    def is_witness(self, row: int) -> bool:
        """Return whether `row` is a witness (S8)."""
        return self._rounds.witness.item(row) == row

    def fame(self, row: int) -> bool | None:
        """Return whether the witness `row` is famous (S12); None if that is undecided or `row` is not a witness."""
        if not self.is_witness(row):
            return None
        number = self.round_of(row)
        if number <= self.decided:
            return row in self._famous  # a witness that came after its round was decided is not
        election = self._open_election(number)
        election.update()
        return dict(election.fame())[row]

    def is_self_ancestor(self, row: int, of: int) -> bool:
        """Return whether `row` is `of` or reached from it through self-parents (S3); both are by one member."""
        return self._ancestry.is_self_ancestor(row, of)

    def has_forked(self, member: int) -> bool:
        """Return whether two of `member`'s events are on different branches (S4)."""
        return self._ancestry.forked[member]

    def forkers(self) -> tuple[int, ...]:
        """Return the members that have forked, ascending."""
        return tuple(sorted(self._ancestry.forkers))

    def _open_election(self, number: int) -> Election:
        return Election(self._ancestry, self._rounds, self._hashes, number)

    def _close_election(self) -> Decision:
        """Return what the decided round receives from its judges (S14), and open the election of the next round."""
        famous = [row for row, fame in self._election.fame() if fame]
        self._famous.update(famous)
        creators = Counter(self._ancestry.creator[row] for row in famous)
        judges = tuple(row for row in famous if creators[self._ancestry.creator[row]] == 1)
        number = self._election.number
        self._rounds.silence(number + 1)
        self._election = self._open_election(number + 1)
        return self._receiver.receive(number, judges)
