"""A cheap bound on strongly seeing (SPEC S6), as bits: most events need no closer look."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple


class Bits(NamedTuple):
    """What is kept about one event x of round r, with N members."""

    present: int  # bit m: a round-r event by m is in anc(x)
    through: int  # bit k * N + m: a round-r event by m is an ancestor of one by k in anc(x)
    needed: int  # a descendant of round r + 1 has at least so many bits in `through` before it is given its round


KEPT = 64  # newest rows, for each member
NOTHING = Bits(0, 0, 0)


class Reach:
    """Through which members each event reaches which witnesses of its own round, ignoring forks.

    The bits of an event are those of its parents of the same round and its own: a few operations each, with Python's
    integers. A supermajority has at least `fewest` members, so an event that strongly sees one has `fewest` bits in
    `present` and their square in `through`. And if an event was examined closely and some pairs were missing, its
    descendants need as many new bits. With forks the bits claim too much, never too little: a pair that has its bit and
    does not count is due to a fork below the event, and will not count for its descendants either. So what the bits
    rule out is impossible.

    Bits are kept for the newest rows only; for an older one they say that everything is possible.
    """

    def __init__(self, weights: Sequence[int], quorum: int) -> None:
        self._members = len(weights)
        self._heaviest = max(weights)
        self._quorum = quorum
        self._fewest = _fewest(weights, quorum)
        self._kept = KEPT * self._members
        self._rows: list[Bits] = []
        self._all = Bits((1 << self._members) - 1, (1 << self._members**2) - 1, 0)

    def join(self, creator: int, parents: Iterable[int]) -> Bits:
        """Return the bits of a new event by `creator`, from its `parents` of the highest round."""
        present = through = 0
        needed = self._fewest**2
        for parent in parents:
            bits = self._rows[parent]
            present |= bits.present
            through |= bits.through
            needed = max(needed, bits.needed)
        return Bits(present, through | present << creator * self._members, needed)

    def may_see_strongly(self, bits: Bits) -> bool:
        """Return whether an event with these bits may strongly see witnesses of a supermajority."""
        return bits.through.bit_count() >= bits.needed and bits.present.bit_count() >= self._fewest

    def after_failure(self, bits: Bits, reached: Sequence[int]) -> Bits:
        """Return the bits of an event that does not, if each member's witness was `reached` by this much weight."""
        if bits.through == self._all.through:
            return bits  # there is a row below of which the bits are not kept
        lacks = sorted(-((weight - self._quorum) // self._heaviest) for weight in reached if weight < self._quorum)
        missing = self._fewest - (self._members - len(lacks))
        return bits._replace(needed=bits.through.bit_count() + sum(lacks[: max(missing, 1)]))

    def add(self, creator: int, bits: Bits) -> None:
        """Add the bits of the newest row: those of `join` if it is of its parents' round, else NOTHING."""
        own = 1 << creator
        through = bits.through | own << creator * self._members
        self._rows.append(Bits(bits.present | own, through, bits.needed))
        old = len(self._rows) - self._kept - 1
        if old >= 0:
            self._rows[old] = self._all


def _fewest(weights: Sequence[int], quorum: int) -> int:
    """Return the size of the smallest set of members that weighs `quorum`."""
    count = 0
    for weight in sorted(weights, reverse=True):
        if quorum <= 0:
            break
        quorum -= weight
        count += 1
    return count
