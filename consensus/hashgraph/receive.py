"""The events that a decided round receives (SPEC S14 to S18): which ones, at which times, in which order."""

from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass
from functools import reduce
from operator import and_, or_, xor
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from consensus.hashgraph.ancestry import NONE, Ancestry

_AT_ONCE = 1024  # events whose times are looked for together, for each judge

Times = NDArray[np.int64]
Indices = NDArray[np.int64]


class Received(NamedTuple):
    """An event in its final place."""

    row: int
    raw_time: int  # S16, ns
    time: int  # S18, ns


@dataclass(frozen=True, slots=True)
class Decision:
    """A decided round: its judges, and the events it receives in consensus order."""

    round: int
    judges: tuple[int, ...]  # rows, ascending
    received: tuple[Received, ...]


class Receiver:
    """The decided rounds in order, and which events have been received so far.

    Work on a round is bounded by the events not yet received that its judges have as ancestors: whatever was received
    before has only received ancestors, so every search stops there.
    """

    def __init__(self, ancestry: Ancestry, hashes: list[bytes], last_time: int | None = None) -> None:
        self._ancestry = ancestry
        self._hashes = hashes
        self._times: Times = np.zeros(64, np.int64)
        self._received: list[bool] = []
        self._done = [0] * ancestry.members  # received events, of members that are not known to have forked
        self._last_time = last_time

    def add(self, row: int, time: int) -> None:
        """Record the creation time (ns) of `row`, the newest one."""
        if row == len(self._times):
            self._times = np.concatenate((self._times, np.zeros_like(self._times)))
        self._times[row] = time
        self._received.append(False)

    def receive(self, number: int, judges: tuple[int, ...]) -> Decision:
        """Return the decision of round `number`, the one after the last decided, from the rows of its judges."""
        if not judges:
            return Decision(number, (), ())
        chains = [self._open_chain(judge) for judge in judges]
        raw = self._cut(judges, chains)
        if self._ancestry.forkers:
            raw |= self._walk(judges, chains)
        for row in raw:
            self._received[row] = True
        return Decision(number, judges, self._in_order(judges, raw))

    def _open_chain(self, judge: int) -> list[int]:
        """Return the self-ancestors of `judge` that are not received yet, oldest first."""
        chain = []
        while judge != NONE and not self._received[judge]:
            chain.append(judge)
            judge = self._ancestry.self_parent[judge]
        return chain[::-1]

    def _cut(self, judges: tuple[int, ...], chains: list[list[int]]) -> dict[int, int]:
        """Return the raw times of the received events of members without forks: a prefix of each member's chain."""
        ancestry, rows = self._ancestry, []
        for member, newest in enumerate(ancestry.last.take(judges, axis=0).min(axis=0).tolist()):
            if newest != NONE and member not in ancestry.forkers:
                start, self._done[member] = self._done[member], ancestry.seq[newest] + 1
                rows += ancestry.by_member[member][start : self._done[member]]
        if not rows:
            return {}
        raw: dict[int, int] = {}
        for start in range(0, len(rows), _AT_ONCE):
            some = rows[start : start + _AT_ONCE]
            creators = np.array([ancestry.creator[row] for row in some])
            times = self._times[self._firsts_after(chains, np.array(some), creators)]
            raw.update(zip(some, _middle(times).tolist(), strict=True))
        return raw

    def _firsts_after(self, chains: list[list[int]], events: Indices, creators: Indices) -> Indices:
        """Return, per chain and event, the first event of the chain with the event as an ancestor; its last has all."""
        longest = max(map(len, chains))
        lines = np.array([chain + chain[-1:] * (longest - len(chain)) for chain in chains])
        line = np.arange(len(chains))[:, None]
        low = np.zeros((len(chains), len(events)), np.int64)
        high = np.full_like(low, longest - 1)
        for _ in range((longest - 1).bit_length()):
            middle = (low + high) >> 1
            reaches = self._ancestry.last[lines[line, middle], creators] >= events
            high = np.where(reaches, middle, high)
            low = np.where(reaches, low, middle + 1)
        firsts: Indices = lines[line, high]
        return firsts

    def _walk(self, judges: tuple[int, ...], chains: list[list[int]]) -> dict[int, int]:
        """Return the raw times of the received events of members that have forked: their events are not a single chain.

        `reached` tells, as bits, which of these events each ancestor of a judge has among its own ancestors.
        """
        ancestry, forkers = self._ancestry, self._ancestry.forkers
        rows = self._open_ancestors(judges)
        forked = [row for row in rows if ancestry.creator[row] in forkers]
        bits = {row: 1 << bit for bit, row in enumerate(forked)}
        reached: dict[int, int] = {}
        for row in rows:
            reached[row] = reduce(or_, (reached.get(p, 0) for p in ancestry.parents[row]), bits.get(row, 0))
        everywhere = reduce(and_, (reached[judge] for judge in judges))
        raw = {}
        for row, bit in bits.items():
            if bit & everywhere:
                firsts = [chain[bisect_left(chain, 1, key=_has(reached, bit))] for chain in chains]
                raw[row] = int(_middle(self._times[firsts]))
        return raw

    def _open_ancestors(self, judges: tuple[int, ...]) -> list[int]:
        """Return all ancestors of the judges that are not received yet, ascending."""
        found, stack = set(judges), list(judges)
        while stack:
            for parent in self._ancestry.parents[stack.pop()]:
                if parent not in found and not self._received[parent]:
                    found.add(parent)
                    stack.append(parent)
        return sorted(found)

    def _in_order(self, judges: tuple[int, ...], raw: dict[int, int]) -> tuple[Received, ...]:
        whitening = reduce(xor, (int.from_bytes(self._hashes[judge]) for judge in judges))
        keys = sorted((time, int.from_bytes(self._hashes[row]) ^ whitening, row) for row, time in raw.items())
        placed = []
        for raw_time, _, row in keys:
            time = raw_time if self._last_time is None else max(raw_time, self._last_time + 1)
            placed.append(Received(row, raw_time, time))
            self._last_time = time
        return tuple(placed)


def _middle(times: Times) -> Times:
    """Return element [len // 2] of the sorted times, along the first axis (S16)."""
    middle: Times = np.sort(times, axis=0)[len(times) // 2]
    return middle


def _has(reached: dict[int, int], bit: int) -> Callable[[int], bool]:
    return lambda row: bool(reached[row] & bit)
