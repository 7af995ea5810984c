"""The definitions of the hashgraph (SPEC.md, S1 to S18) written down one by one: slow, and meant to be read.

Nothing here is shared with the implementation that it checks.
"""

from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any

from tests.consensus.random_dags import DagEvent


class BruteForce:
    """All results of one view of events (creator, self-parent, other-parents, time, hash), parents first."""

    def __init__(self, weights: Sequence[int], events: Sequence[DagEvent], coin_period: int = 10) -> None:
        self.weights = weights
        self.events = events
        self.coin_period = coin_period
        self.everything = range(len(events))
        self.anc: list[set[int]] = []
        self.self_anc: list[set[int]] = []
        for x in self.everything:
            self.anc.append({x}.union(*(self.anc[p] for p in self.parents(x))))
            self_parent = events[x][1]
            self.self_anc.append({x} | (self.self_anc[self_parent] if self_parent is not None else set()))
        self.forkers = [self.find_forkers(x) for x in self.everything]
        self.rounds: list[int] = []
        for x in self.everything:
            self.rounds.append(self.find_round(x))
        self.last_round = max(self.rounds, default=0)
        self.famous = {x: self.find_fame(x) for x in self.everything if self.is_witness(x)}
        self.decided = self.find_decided()
        self.find_order()

    # S1, S2

    def creator(self, x: int) -> int:
        return self.events[x][0]

    def parents(self, x: int) -> list[int]:
        _, self_parent, others, _, _ = self.events[x]
        return [*([] if self_parent is None else [self_parent]), *others]

    def time(self, x: int) -> int:
        return self.events[x][3]

    def number(self, x: int) -> int:
        """The hash as an unsigned big-endian 256-bit integer."""
        return int.from_bytes(self.events[x][4], "big")

    def weight(self, members: Iterable[int]) -> int:
        return sum(self.weights[m] for m in set(members))

    def supermajority(self, members: Iterable[int]) -> bool:
        return 3 * self.weight(members) > 2 * sum(self.weights)

    # S4, S5, S6

    def find_forkers(self, x: int) -> set[int]:
        by_member: dict[int, list[int]] = {}
        for y in self.anc[x]:
            by_member.setdefault(self.creator(y), []).append(y)
        return {
            m
            for m, own in by_member.items()
            if any(a not in self.self_anc[b] and b not in self.self_anc[a] for a in own for b in own)
        }

    def sees(self, x: int, y: int) -> bool:
        return y in self.anc[x] and self.creator(y) not in self.forkers[x]

    @cache  # noqa: B019
    def strongly_sees(self, x: int, y: int) -> bool:
        if not self.sees(x, y):
            return False
        through = [z for z in self.anc[x] if self.sees(x, z) and self.sees(z, y)]
        return self.supermajority(self.creator(z) for z in through)

    # S7, S8

    def find_round(self, x: int) -> int:
        parents = self.parents(x)
        if not parents:
            return 1
        r = max(self.rounds[p] for p in parents)
        return r + 1 if self.strongly_sees_quorum(x, r, self.anc[x] - {x}) else r

    def strongly_sees_quorum(self, x: int, r: int, among: Iterable[int]) -> bool:
        """Whether x strongly sees round-r witnesses, out of `among`, of a supermajority."""
        seen = [w for w in among if self.rounds[w] == r and self.is_witness(w) and self.strongly_sees(x, w)]
        return self.supermajority(self.creator(w) for w in seen)

    def is_witness(self, x: int) -> bool:
        self_parent = self.events[x][1]
        return self_parent is None or self.rounds[x] > self.rounds[self_parent]

    @cache  # noqa: B019
    def witnesses(self, r: int) -> list[int]:
        return [x for x in self.everything if self.rounds[x] == r and self.is_witness(x)]

    # S9 to S12

    @cache  # noqa: B019
    def proxy(self, y: int) -> int:
        r = self.rounds[y]
        if r == 1 or self.strongly_sees_quorum(y, r - 1, self.anc[y]):
            return y
        return self.proxy(next(p for p in self.parents(y) if self.rounds[p] == r))

    @cache  # noqa: B019
    def heard(self, y: int) -> list[int]:
        """S(y)."""
        voter = self.proxy(y)
        return [w for w in self.witnesses(self.rounds[y] - 1) if self.strongly_sees(voter, w)]

    @cache  # noqa: B019
    def vote(self, y: int, x: int) -> tuple[bool, bool]:
        """The vote of y on x, and whether y decides."""
        d = self.rounds[y] - self.rounds[x]
        if d == 1:
            return self.sees(self.proxy(y), x), False
        yes = self.weight(self.creator(w) for w in self.heard(y) if self.vote(w, x)[0])
        no = self.weight(self.creator(w) for w in self.heard(y) if not self.vote(w, x)[0])
        v, t = yes >= no, max(yes, no)
        sure = 3 * t > 2 * sum(self.weights)
        if d % self.coin_period:
            return v, sure
        return (v if sure else bool(self.events[y][4][16] & 1)), False

    def find_fame(self, x: int) -> bool | None:
        for q in range(self.rounds[x] + 1, self.last_round + 1):
            votes = [self.vote(y, x) for y in self.witnesses(q)]
            decided = [v for v, decides in votes if decides]
            if decided:
                return any(decided)
        return None

    # S13 to S18

    def find_decided(self) -> int:
        r = 0
        while self.witnesses(r + 1) and all(self.famous[x] is not None for x in self.witnesses(r + 1)):
            r += 1
        return r

    def judges(self, r: int) -> list[int]:
        famous = [x for x in self.witnesses(r) if self.famous[x]]
        creators = [self.creator(x) for x in famous]
        return [x for x in famous if creators.count(self.creator(x)) == 1]

    def find_order(self) -> None:
        self.received: dict[int, int] = {}
        self.raw: dict[int, int] = {}
        self.final: dict[int, int] = {}
        self.order: list[int] = []
        for r in range(1, self.decided + 1):
            judges = self.judges(r)
            if not judges:
                continue
            common = set.intersection(*(self.anc[j] for j in judges))
            new = sorted(common - set(self.received))
            whitening = 0
            for j in judges:
                whitening ^= self.number(j)
            for x in new:
                self.received[x] = r
                self.raw[x] = self.raw_time(x, judges)
            self.order += sorted(new, key=lambda x: (self.raw[x], self.number(x) ^ whitening))
        previous = None
        for x in self.order:
            self.final[x] = self.raw[x] if previous is None else max(self.raw[x], previous + 1)
            previous = self.final[x]

    def raw_time(self, x: int, judges: list[int]) -> int:
        firsts = []
        for j in judges:
            having = [z for z in self.self_anc[j] if x in self.anc[z]]
            firsts.append(min(having, key=lambda z: len(self.self_anc[z])))
        times = sorted(self.time(z) for z in firsts)
        return times[len(times) // 2]

    def results(self) -> dict[str, Any]:
        """The results as VECTORS.md lists them under `expect`."""
        return {
            "round": self.rounds,
            "witness": [self.is_witness(x) for x in self.everything],
            "fame": [self.famous.get(x) for x in self.everything],
            "received": [self.received.get(x) for x in self.everything],
            "time_raw": [self.raw.get(x) for x in self.everything],
            "time": [self.final.get(x) for x in self.everything],
            "order": self.order,
            "decided": self.decided,
        }
