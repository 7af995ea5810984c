"""The ancestors of every event, as one row per event with the last event seen of every member, forks included."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.int32]

NONE = -1  # row number of "no event"; as an index it reaches the last allocated row, which stays empty
FORKED = np.iinfo(np.int32).max  # in `last`: the member has forked among the ancestors, so none of it is seen


class Ancestry:
    """The DAG as a structure of arrays. Rows are numbered from 0 in order of insertion, parents first.

    `last[x, m]` is the row of the last event by member m in anc(x), x included (SPEC S3), NONE if there is
    none, FORKED if m is in forkers(x) (S4). Along one self-chain rows ascend, so for a member that x sees:
    a row w of it that lies on the chain of `last[x, m]` is an ancestor of x iff `last[x, m] >= w`.
    """

    def __init__(self, members: int) -> None:
        self.members = members
        self.last: Rows = np.full((64, members), NONE, np.int32)
        self.creator: list[int] = []
        self.seq: list[int] = []
        self.self_parent: list[int] = []
        self.parents: list[tuple[int, ...]] = []  # self-parent first (S1)
        self.by_member: list[list[int]] = [[] for _ in range(members)]
        self.forkers: list[int] = []  # members with a fork among all rows, in the order in which it showed
        self.forked = [False] * members
        self._marked = False  # whether FORKED is anywhere in `last`
        self._jump: list[int] = []

    def __len__(self) -> int:
        return len(self.creator)

    def add(self, creator: int, self_parent: int, other_parents: Sequence[int]) -> int:
        """Append an event and return its row; `self_parent` is NONE if it has none."""
        parents = tuple(other_parents) if self_parent == NONE else (self_parent, *other_parents)
        row = self.draft(creator, self_parent, parents)
        if self._splits(creator, self_parent):
            self.forked[creator] = True
            self.forkers.append(creator)
        self.by_member[creator].append(row)
        self.creator.append(creator)
        self.self_parent.append(self_parent)
        self.parents.append(parents)
        self._add_jump(row, self_parent)
        return row

    def draft(self, creator: int, self_parent: int, parents: tuple[int, ...]) -> int:
        """Write `last` of the row that an event would have, and return the row; it stays free."""
        row = len(self.creator)
        if row + 1 == len(self.last):
            self.last = grown(self.last, NONE)
        last, mine = self.last, self.last[row]
        if len(parents) > 1:
            np.maximum(last[parents[0]], last[parents[1]], out=mine)
            for parent in parents[2:]:
                np.maximum(mine, last[parent], out=mine)
        else:
            mine[:] = last[parents[0]] if parents else NONE
        own_top, mine[creator] = mine[creator], row
        forkers = [*self.forkers, creator] if self._splits(creator, self_parent) else self.forkers
        for member in forkers:
            newest = own_top if member == creator else mine[member]
            top = self_parent if member == creator else int(newest)
            if newest == FORKED or not self._one_chain(member, top, parents):
                mine[member] = FORKED
                self._marked = True
        return row

    def _splits(self, creator: int, self_parent: int) -> bool:
        """Return whether an event after `self_parent` is the first to show that `creator` has forked."""
        own = self.by_member[creator]
        return (own[-1] if own else NONE) != self_parent and not self.forked[creator]

    def _one_chain(self, member: int, top: int, parents: tuple[int, ...]) -> bool:
        """Return whether all that the parents last saw of `member` are self-ancestors of `top`."""
        lasts = [int(self.last[parent, member]) for parent in parents]
        return all(row in (NONE, top) or (top != NONE and self.is_self_ancestor(row, top)) for row in lasts)

    def _add_jump(self, row: int, self_parent: int) -> None:
        """Extend the skip pointers that make `is_self_ancestor` logarithmic (Myers 1983)."""
        if self_parent == NONE:
            self.seq.append(0)
            self._jump.append(row)
            return
        seq, jump = self.seq, self._jump
        near = jump[self_parent]
        far = jump[near]
        same = seq[self_parent] - seq[near] == seq[near] - seq[far]
        seq.append(seq[self_parent] + 1)
        jump.append(far if same else self_parent)

    def is_self_ancestor(self, row: int, of: int) -> bool:
        """Return whether `row` is reached from `of`, an event by the same member, through self-parents only."""
        seq, jump, target = self.seq, self._jump, self.seq[row]
        while seq[of] > target:
            of = jump[of] if seq[jump[of]] >= target else self.self_parent[of]
        return of == row

    def sees(self, row: int, other: int) -> bool:
        """Return whether `other` is an ancestor of `row` whose creator has not forked among those ancestors (S5)."""
        creator = self.creator[other]
        last = int(self.last[row, creator])
        if last == FORKED or last < other:
            return False
        return not self.forked[creator] or self.is_self_ancestor(other, last)

    def seen_rows(self, row: int) -> Rows:
        """Return, per member, the last event that `row` sees, or NONE; int32[members], which must not be changed."""
        rows = self.last[row]
        return np.where(rows == FORKED, np.int32(NONE), rows) if self._marked else rows


def grown(array: NDArray[np.int32], fill: int) -> NDArray[np.int32]:
    """Return a copy of twice the length whose new rows, and so its last one, hold `fill`."""
    longer = np.full((2 * len(array), *array.shape[1:]), fill, array.dtype)
    longer[: len(array)] = array
    return longer
