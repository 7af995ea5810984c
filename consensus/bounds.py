"""How many events one member can make others keep while no round is decided: rules between an event and its ancestors.

Both depend on the ancestors of an event alone, so all nodes agree on them; honest members keep them anyway. They hold
where `epoch.ahead` of the genesis is not 0. Why they cannot stop the swarm: docs/consensus.md, "What one member can
make others keep".
"""

from collections.abc import Sequence

import numpy as np

from consensus.hashgraph import FORKED, Hashgraph


class Bounds:
    """The two rules, for the DAG of one epoch. Members go by index, events by row."""

    def __init__(self, hashgraph: Hashgraph, weights: Sequence[int], ahead: int) -> None:
        """Hold every member to `ahead` events for each member of the roster (more than 0)."""
        self._hashgraph = hashgraph
        self._weights = np.array(weights, np.int64)
        self._quorum = 2 * sum(weights) // 3 + 1  # as in `consensus.hashgraph.rounds.Rounds`
        self.events = ahead * len(weights)

    def fault(
        self, creator: int, self_parent: int | None, others: Sequence[int], creators: Sequence[int], before: int | None
    ) -> str | None:
        """Return the rule that an event on these parents would break, in one line; None if it breaks none.

        `creators` are those of the other-parents, `before` is the self-ancestor `events` places before the event, if
        there is one.
        """
        last = self._hashgraph.preview_last(creator, self_parent, others)
        if any(last[member] == FORKED for member in (creator, *creators)):
            return "a parent is by a member that has forked among the ancestors"
        if before is None:
            return None
        has_news = (last == FORKED) | (last != self._hashgraph.last(before))
        if self._weights.dot(has_news) < self._quorum:
            return f"the member has made {self.events} events without news of more than 2/3 of the weight"
        return None
