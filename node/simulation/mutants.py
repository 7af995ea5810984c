"""Deliberately broken builds: each takes one safeguard out, and the simulator has to notice."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

from consensus.dag import Dag
from consensus.event import Event
from consensus.hashgraph.ancestry import Ancestry
from consensus.hashgraph.reach import Reach
from consensus.hashgraph.rounds import Rounds, Witnesses
from consensus.roster import Roster
from node.member.creation import Creation
from node.store.memory import MemoryStore


@contextmanager
def half_is_enough() -> Iterator[None]:
    """Half of the weight, and a bit, is a supermajority everywhere."""
    make = Rounds.__init__

    def make_halved(self: Rounds, ancestry: Ancestry, weights: Any) -> None:
        make(self, ancestry, weights)
        self.quorum = sum(weights) // 2 + 1
        self._reach = Reach(weights, self.quorum)

    def roster(self: Roster, members: Any) -> bool:
        return 2 * self.weight(members) > self.total_weight

    def creation(self: Creation, weight: int) -> bool:
        return 2 * weight > sum(self._weights)

    with (
        patch.object(Rounds, "__init__", make_halved),
        patch.object(Roster, "supermajority", roster),
        patch.object(Creation, "_supermajority", creation),
    ):
        yield


class _Blind(list[Any]):
    """A list that takes nothing in."""

    def append(self, _item: Any) -> None:
        """See `list`."""

    def __setitem__(self, _index: Any, _item: Any) -> None:
        """See `list`."""


@contextmanager
def forks_are_overwritten() -> Iterator[None]:
    """The event that comes last takes the place of one with its seq; nobody notices that a member forked."""
    make = Ancestry.__init__

    def make_blind(self: Ancestry, members: int) -> None:
        make(self, members)
        self.forkers, self.forked = _Blind(), _Blind(self.forked)

    with patch.object(Ancestry, "__init__", make_blind):
        yield


@contextmanager
def first_branch_wins() -> Iterator[None]:
    """The second event with one seq is refused, whichever it is."""
    judge = Dag.fault

    def fault(self: Dag, event: Event) -> str | None:
        chain = self.chain(self.index[event.creator], event.seq)
        return "the seq is taken" if chain else judge(self, event)

    with patch.object(Dag, "fault", fault):
        yield


@contextmanager
def own_events_unsynced() -> Iterator[None]:
    """An own event is shown to others before it is on disk."""

    async def append_own(self: MemoryStore, event: Event) -> None:
        await self.append([event])

    with patch.object(MemoryStore, "append_own", append_own):
        yield


@contextmanager
def no_proxy() -> Iterator[None]:
    """SPEC S9 is taken out: every witness votes as itself, by whatever it strongly sees."""

    def proxy(self: Rounds, row: int, record: Witnesses) -> int:
        if row not in record.electors:
            witnesses = self._earlier_witnesses(row)
            strong = self._reached(row, witnesses) >= self.quorum
            record.electors[row] = self.place.take(witnesses[strong])
        record.proxy_of[row] = row
        return row

    with patch.object(Rounds, "_proxy", proxy):
        yield


MUTANTS: dict[str, Callable[[], Any]] = {
    "half": half_is_enough,
    "overwrite": forks_are_overwritten,
    "first-wins": first_branch_wins,
    "unsynced": own_events_unsynced,
    "no-proxy": no_proxy,
}
"""Context managers by name; in them, what is simulated is broken."""
