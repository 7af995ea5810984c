"""The custodians of a simulated swarm: whoever is to hold a shard and can fetch it says so, a little later."""

from __future__ import annotations

import random
from collections.abc import Mapping
from functools import partial

from consensus.keys import MemberId
from consensus.ledger import Effect
from consensus.ledger.records import transactions as t
from consensus.ledger.records.entities import Shard
from consensus.ledger.steering.custody import due_custody
from node.simulation.agents.order import Author
from node.simulation.agents.world import World

_FETCH_S = (2.0, 8.0)  # from the wish to hold something until it is here; all that is wanted then is held together
_LOOK_S = 60.0  # between two looks at what nobody was told of


class CustodyAgents:
    """The machines that hold shards of others. Those of some liars never do."""

    def __init__(self, world: World, authors: Mapping[MemberId, Author]) -> None:
        self._world = world
        self._authors = authors
        self._chance = random.Random(f"custody {world.seed}")
        self._fetching: set[MemberId] = set()

    def begin(self) -> None:
        """Look for what is to be held, again and again."""
        for author in self._authors:
            if any(entry.others_first == 0 for entry in due_custody(self._world.ledger, author)):
                self._fetch_soon(author)
        self._world.timeline.after(_LOOK_S, self.begin)

    def observe_games(self, effect: Effect) -> None:
        """Take in that a shard was announced."""
        digest = effect.fields["shard"]
        assert isinstance(digest, bytes)
        shard = self._world.ledger.shard(digest)
        for member in () if shard is None else self._world.ledger.custodians(shard):
            self._fetch_soon(member)

    def _fetch_soon(self, member: MemberId) -> None:
        if member in self._authors and member not in self._fetching:
            self._fetching.add(member)
            self._world.timeline.after(self._chance.uniform(*_FETCH_S), partial(self._say_held, member))

    def _say_held(self, member: MemberId) -> None:
        self._fetching.discard(member)
        if member not in self._world.order.present:
            return
        due = [entry.shard for entry in due_custody(self._world.ledger, member) if entry.others_first == 0]
        held = tuple(shard.digest for shard in due if self._can_fetch(shard))[: t.HELD_LIMIT]
        if held:
            author = self._authors[member]
            author.submit(t.Held(author.next_id(), held))

    def _can_fetch(self, shard: Shard) -> bool:
        return any(member in self._world.order.present for member in (shard.author, *shard.holders))
