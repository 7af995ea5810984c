"""Deliberately broken builds: each lacks one safeguard, and the simulator has to notice."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import trio

from consensus.dag import Dag
from consensus.event import Event
from consensus.hashgraph.ancestry import Ancestry
from consensus.hashgraph.reach import Reach
from consensus.hashgraph.rounds import Rounds, Witnesses
from consensus.roster import Roster
from node.gossip.selection import PeerSelection
from node.member.creation import CreationPlanner
from node.membership.address_exchange import AddressExchange
from node.store.memory import MemoryStore


@contextmanager
def half_is_enough() -> Iterator[None]:
    """Take more than half of the weight for a supermajority everywhere."""
    make = Rounds.__init__

    def make_halved(self: Rounds, ancestry: Ancestry, weights: Any) -> None:
        make(self, ancestry, weights)
        self.quorum = sum(weights) // 2 + 1
        self._reach = Reach(weights, self.quorum)

    def roster(self: Roster, members: Any) -> bool:
        return 2 * self.weight(members) > self.total_weight

    def creation(self: CreationPlanner, weight: int) -> bool:
        return 2 * weight > sum(self._weights)

    with (
        patch.object(Rounds, "__init__", make_halved),
        patch.object(Roster, "supermajority", roster),
        patch.object(CreationPlanner, "_supermajority", creation),
    ):
        yield


class _UnchangingList(list[Any]):
    """A list that ignores additions and assignments."""

    def append(self, _item: Any) -> None:
        """Ignore the item."""

    def __setitem__(self, _index: Any, _item: Any) -> None:
        """Ignore the item."""


@contextmanager
def forks_are_overwritten() -> Iterator[None]:
    """Let the last event of several with one number take its place, so that nobody notices a fork."""
    make = Ancestry.__init__

    def make_unchanging(self: Ancestry, members: int) -> None:
        make(self, members)
        self.forkers, self.forked = _UnchangingList(), _UnchangingList(self.forked)

    with patch.object(Ancestry, "__init__", make_unchanging):
        yield


@contextmanager
def first_branch_wins() -> Iterator[None]:
    """Refuse the second event with one number, whichever it is."""
    judge = Dag.check

    def check(self: Dag, event: Event) -> str | None:
        chain = self.chain(self.index[event.creator], event.seq)
        return "the seq is taken" if chain else judge(self, event)

    with patch.object(Dag, "check", check):
        yield


@contextmanager
def own_events_unsynced() -> Iterator[None]:
    """Show own events to others before they are on disk."""

    async def append_own(self: MemoryStore, event: Event) -> None:
        await self.append([event])

    with patch.object(MemoryStore, "append_own", append_own):
        yield


@contextmanager
def no_proxy() -> Iterator[None]:
    """Leave out SPEC S9: every witness votes for itself, by what it strongly sees."""

    def proxy(self: Rounds, row: int, record: Witnesses) -> int:
        if row not in record.electors:
            witnesses = self._earlier_witnesses(row)
            strong = self._reached(row, witnesses) >= self.quorum
            record.electors[row] = self.place.take(witnesses[strong])
        record.proxy_of[row] = row
        return row

    with patch.object(Rounds, "_proxy", proxy):
        yield


@contextmanager
def addresses_untold() -> Iterator[None]:
    """Tell nobody where members are: one that moved is found by the vote alone."""

    async def run(_self: AddressExchange) -> None:
        await trio.sleep_forever()

    with patch.object(AddressExchange, "run", run):
        yield


@contextmanager
def addresses_told_once() -> Iterator[None]:
    """Take it that what a node remembers was told before, and that nobody forgets what it was told."""
    with (
        patch("node.membership.whereabouts._NOTHING", 0),
        patch.object(AddressExchange, "_may_have_forgotten", lambda self, peer: False),
    ):
        yield


@contextmanager
def nothing_is_brought_at_rest() -> Iterator[None]:
    """Leave it to each peer to fetch what it lacks while nobody waits for rounds, whether or not it can."""
    with patch.object(PeerSelection, "_can_fetch", lambda self, peer: True):
        yield


MUTANTS: dict[str, Callable[[], Any]] = {
    "half": half_is_enough,
    "overwrite": forks_are_overwritten,
    "first-wins": first_branch_wins,
    "unsynced": own_events_unsynced,
    "no-proxy": no_proxy,
    "untold": addresses_untold,
    "told-once": addresses_told_once,
    "fetch-only": nothing_is_brought_at_rest,
}
"""Context managers by name; within one, the code under simulation lacks that safeguard."""
