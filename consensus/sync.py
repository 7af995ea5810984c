"""The tips that replicas exchange, and the events that a peer lacks according to its tips."""

import heapq
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from consensus.dag import Dag
from consensus.event import MAX_INT, EventError
from consensus.keys import MemberId

TIPS_PER_MEMBER = 8  # for a member that has forked; any other has one
_ECHOED = TIPS_PER_MEMBER // 2  # of what a peer said, and as many of ours


class Tip(NamedTuple):
    """An event without a self-child; on the wire [creator, seq, hash]."""

    creator: MemberId
    seq: int
    hash: bytes


def parse_tips(value: Any, members: int) -> list[Tip]:
    """Return the tips in a decoded message of a swarm of `members`. Raise EventError if they are malformed."""
    if not isinstance(value, list) or len(value) > members * TIPS_PER_MEMBER:
        raise EventError(f"tips is not an array of at most {members * TIPS_PER_MEMBER}")
    return [_read_tip(item) for item in value]


def _read_tip(value: Any) -> Tip:
    if not isinstance(value, list) or len(value) != 3:
        raise EventError("a tip is not an array of creator, seq and hash")
    creator, seq, digest = value
    if not isinstance(seq, int) or isinstance(seq, bool) or not 0 <= seq <= MAX_INT:
        raise EventError("the seq of a tip is not an integer from 0 to 2^63 - 1")
    if not (isinstance(creator, bytes) and len(creator) == 32 and isinstance(digest, bytes) and len(digest) == 32):
        raise EventError("creator and hash of a tip are not 32 bytes each")
    return Tip(creator, seq, digest)


def tips_of(dag: Dag) -> list[Tip]:
    """Return what is offered of all members, in roster order; of a member that has forked, the newest few."""
    rows = [row for member in range(len(dag.members)) for row in dag.offered(member)[-TIPS_PER_MEMBER:]]
    return [Tip(event.creator, event.seq, event.hash) for event in (dag.events[row] for row in rows)]


def with_echo(ours: Iterable[Tip], theirs: Sequence[Tip], on_demand: Container[MemberId]) -> list[Tip]:
    """Return `ours`, and what a peer said itself that it has by members `on_demand`, so that it does not send these.

    Otherwise the peer would begin with such events, which are not taken, each time anew, and never come to the others.
    """
    tips = list(ours)
    for creator in dict.fromkeys(tip.creator for tip in theirs if tip.creator in on_demand):
        own = [tip for tip in tips if tip.creator == creator]
        echo = [tip for tip in theirs if tip.creator == creator and tip not in own]
        others = [tip for tip in tips if tip.creator != creator]
        tips = [*others, *own[-_ECHOED:], *echo[-_ECHOED:]]
    return tips


def count_beyond(seqs: Mapping[MemberId, int], others: Mapping[MemberId, int]) -> int:
    """Return how many events lie between two sets of highest seqs: those up to `seqs` and not up to `others`."""
    count = 0
    for member, seq in seqs.items():
        other = others.get(member, -1)
        if seq > other:
            count += seq - other
    return count


def seqs_of(tips: Iterable[Tip], without: Container[MemberId] = ()) -> dict[MemberId, int]:
    """Return the highest seq of each member that has a tip, `without` some members."""
    seqs: dict[MemberId, int] = {}
    for creator, seq, _ in tips:
        if seq > seqs.get(creator, -1) and creator not in without:
            seqs[creator] = seq
    return seqs


class PeerKnowledge:
    """Which events a peer has, as far as its tips show.

    A tip that we have ourselves implies its self-ancestors. Of a tip that we lack only the seq is useful: we assume
    that the peer has the member's events up to it. If that is wrong, because the member has forked, the peer later
    misses a parent and asks for it by hash; from then on the seq is ignored. It is also wrong of events that the peer
    does not take before others need them (`with_echo`): whoever wants an event has none that continues it.
    """

    def __init__(self, dag: Dag, tips: Iterable[Tip], wanted: Iterable[int]) -> None:
        """Evaluate the peer's `tips`; `wanted` are the rows that it asks for."""
        self._dag = dag
        self._known: list[list[int]] = [[] for _ in dag.members]
        self._foreign = [-1] * len(dag.members)  # by member: the highest seq of a tip that we lack
        listed = [0] * len(dag.members)
        for tip in tips:
            member, row = dag.index.get(tip.creator), dag.rows.get(tip.hash)
            if member is None:
                continue
            listed[member] += 1
            if row is None or listed[member] >= TIPS_PER_MEMBER:
                self._foreign[member] = max(self._foreign[member], tip.seq)
            elif dag.events[row].creator == tip.creator:
                self._known[member].append(row)
        for row in wanted:
            member = dag.index[dag.events[row].creator]
            self._foreign[member] = -1
            known = self._known[member]
            self._known[member] = [tip for tip in known if not dag.hashgraph.is_self_ancestor(row, tip)]

    def has_event(self, row: int) -> bool:
        """Return whether the peer has the event of `row`."""
        event = self._dag.events[row]
        member = self._dag.index[event.creator]
        return event.seq <= self._foreign[member] or any(
            self._dag.hashgraph.is_self_ancestor(row, known) for known in self._known[member]
        )

    def missing_rows(self, member: int) -> Sequence[int]:
        """Return the rows of `member`'s events that the peer lacks, ascending."""
        dag = self._dag
        if not dag.has_forked(member):
            seen = max([self._foreign[member], *(dag.events[row].seq for row in self._known[member])])
            return dag.chain(member, seen + 1)
        rows = set()
        for tip in dag.offered(member)[-TIPS_PER_MEMBER:]:
            for row in dag.self_ancestors(tip):
                if row in rows or self.has_event(row):
                    break
                rows.add(row)
        return sorted(rows)


def rows_for_peer(dag: Dag, tips: Iterable[Tip], want: Iterable[bytes], limit: int) -> Iterator[int]:
    """Yield the rows that a peer with these tips lacks, ascending, so parents first.

    An event that the peer wants by hash comes with up to `limit` ancestors that the peer seems to lack.
    """
    rows = [dag.rows[digest] for digest in want if digest in dag.rows]
    knowledge = PeerKnowledge(dag, tips, rows)
    wanted = _with_ancestors(dag, knowledge, rows, limit)
    previous = -1
    for row in heapq.merge(wanted, *(knowledge.missing_rows(member) for member in range(len(dag.members)))):
        if row != previous:
            yield row
        previous = row


def _with_ancestors(dag: Dag, knowledge: PeerKnowledge, rows: list[int], limit: int) -> list[int]:
    found, stack = set(rows), list(rows)
    while stack and len(found) < limit:
        for parent in dag.events[stack.pop()].parents:
            row = dag.rows[parent]
            if row not in found and not knowledge.has_event(row):
                found.add(row)
                stack.append(row)
    return sorted(found)
