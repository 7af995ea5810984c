"""The rounds, witnesses and proxies of events (SPEC S6 to S9): what each event is worth in the election."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from consensus.hashgraph.ancestry import NONE, Ancestry, Rows, grown
from consensus.hashgraph.reach import NOTHING, Bits, Reach


@dataclass(slots=True)
class Witnesses:
    """The witnesses of one round in order of insertion, and what each votes with."""

    rows: list[int] = field(default_factory=list)
    proxies: list[int] = field(default_factory=list)  # S9: the row as which each votes
    electors: dict[int, Rows] = field(default_factory=dict)  # S(y) of S10, by proxy: places one round earlier
    proxy_of: dict[int, int] = field(default_factory=dict)  # as far as known, of events of the round


class Rounds:
    """The round of every event of `ancestry`; call `add` once for each row, in order.

    `quorum` is the smallest weight that is a supermajority (S2): 3 w > 2 W if and only if w > floor(2 W / 3), so no
    product is formed and 64 bits suffice for any W below 2^63.
    """

    def __init__(self, ancestry: Ancestry, weights: Sequence[int]) -> None:
        self.ancestry = ancestry
        self.weights = np.array(weights, np.int64)
        self.quorum = 2 * sum(weights) // 3 + 1
        self.round: Rows = np.zeros(64, np.int32)  # 0 in rows not yet used, so also at index NONE
        self.witness: Rows = np.full(64, NONE, np.int32)  # the newest among the self-ancestors
        self.earlier: Rows = np.full(64, NONE, np.int32)  # of a witness: the one before it on its self-chain
        self.place: Rows = np.full(64, NONE, np.int32)  # of a witness: its index among those of its round
        self.witnesses: list[Witnesses] = [Witnesses(), Witnesses()]  # by round number; round 0 stays empty
        self._reach = Reach(weights, self.quorum)
        self._silent = 1  # witnesses of rounds up to this one vote in no election that is still open

    def add(self, row: int) -> bool:
        """Set the round of `row`, the newest one (S7), and return whether it is a witness (S8)."""
        if row + 1 == len(self.round):
            self._grow()
        creator, self_parent = self.ancestry.creator[row], self.ancestry.self_parent[row]
        number, strong, bits = self._judge(row, creator, self_parent, self.ancestry.parents[row])
        self._reach.add(creator, bits)
        self.round[row] = number
        if self_parent != NONE and self.round.item(self_parent) == number:
            self.witness[row] = self.witness[self_parent]
            return False
        self.witness[row] = row
        self.earlier[row] = self.witness[self_parent]
        self._add_witness(row, number, strong)
        return True

    def preview(self, row: int, creator: int, self_parent: int, parents: tuple[int, ...]) -> tuple[int, bool]:
        """Return the round of the event of `row`, drafted and not added, and whether it would be a witness."""
        number, _, _ = self._judge(row, creator, self_parent, parents)
        return number, self_parent == NONE or self.round.item(self_parent) != number

    def _judge(
        self, row: int, creator: int, self_parent: int, parents: tuple[int, ...]
    ) -> tuple[int, Rows | None, Bits]:
        """Return the round (S7) from the ancestry of `row`, and what led to it.

        That is the strongly seen witnesses that raised the round, if any, and what is known of whom it reaches in its
        round.
        """
        if not parents:
            return 1, None, NOTHING
        rounds = [self.round.item(parent) for parent in parents]
        number = max(rounds)
        newest = [parent for parent, at in zip(parents, rounds, strict=True) if at == number]
        bits = self._reach.join(creator, newest)
        if not self._reach.may_see_strongly(bits):
            return number, None, bits
        witnesses = self._newest_witnesses(row, creator, self_parent, number)
        reached = self._reached(row, witnesses)
        strong = self._supermajority(witnesses, reached)
        if strong is not None:
            return number + 1, strong, NOTHING
        return number, None, self._reach.after_failure(bits, reached.tolist())

    def silence(self, number: int) -> None:
        """Forget what the witnesses of rounds up to `number` vote with: no open election asks them."""
        for closed in range(self._silent + 1, min(number + 1, len(self.witnesses))):
            record = self.witnesses[closed]
            record.proxies, record.electors, record.proxy_of = [], {}, {}
        self._silent = number

    def _grow(self) -> None:
        self.round, self.place = grown(self.round, 0), grown(self.place, NONE)
        self.witness, self.earlier = grown(self.witness, NONE), grown(self.earlier, NONE)

    def _newest_witnesses(self, row: int, creator: int, self_parent: int, number: int) -> Rows:
        """Return, per member, its round-`number` witness among the proper ancestors of `row` that `row` sees, or NONE.

        `number` is the highest round of a parent: a member has such a witness if and only if the last of its events
        that is seen is of that round.
        """
        seen = self.ancestry.seen_rows(row)
        if seen.item(creator) == row:
            seen = seen.copy()
            seen[creator] = self_parent
        return np.where(self.round.take(seen) == number, self.witness.take(seen), np.int32(NONE))

    def _earlier_witnesses(self, row: int) -> Rows:
        """Return, per member, its witness of the round before that of `row` that `row` sees, or NONE."""
        number = self.round.item(row)
        found = self.witness.take(self.ancestry.seen_rows(row))
        found = np.where(self.round.take(found) == number, self.earlier.take(found), found)
        return np.where(self.round.take(found) == number - 1, found, np.int32(NONE))

    def _reached(self, row: int, witnesses: Rows) -> NDArray[np.int64]:
        """Return through how much weight `row` reaches each of `witnesses` (S6; per member, or NONE).

        `row` sees them all, hence none of its ancestors sees their creators fork, and the last event seen of each
        member k reaches a witness w of member m if and only if `last[last[row, k], m] >= w`.
        """
        reaches = self.ancestry.last.take(self.ancestry.seen_rows(row), axis=0) >= witnesses
        reached: NDArray[np.int64] = self.weights.dot(reaches) * (witnesses != NONE)
        return reached

    def _supermajority(self, witnesses: Rows, reached: NDArray[np.int64]) -> Rows | None:
        """Return those of `witnesses` that are strongly seen (S6); None if their members are not a supermajority."""
        strong = reached >= self.quorum
        return witnesses[strong] if self.weights.dot(strong) >= self.quorum else None

    def _add_witness(self, row: int, number: int, strong: Rows | None) -> None:
        if number == len(self.witnesses):
            self.witnesses.append(Witnesses())
        record = self.witnesses[number]
        self.place[row] = len(record.rows)
        record.rows.append(row)
        if number <= self._silent:
            return
        if strong is not None:
            record.electors[row] = self.place.take(strong)
            record.proxy_of[row] = row
        record.proxies.append(self._proxy(row, record))

    def _proxy(self, row: int, record: Witnesses) -> int:
        """Return the proxy of `row` (S9), which is of round 2 or later; `record` is that of its round."""
        deficient = []
        while row not in record.proxy_of:
            earlier = self._earlier_witnesses(row)
            strong = self._supermajority(earlier, self._reached(row, earlier))
            if strong is not None:
                record.electors[row] = self.place.take(strong)
                record.proxy_of[row] = row
            else:
                deficient.append(row)
                number = self.round.item(row)
                row = next(p for p in self.ancestry.parents[row] if self.round.item(p) == number)
        proxy = record.proxy_of[row]
        record.proxy_of.update(dict.fromkeys(deficient, proxy))
        return proxy
