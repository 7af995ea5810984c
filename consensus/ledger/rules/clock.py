"""The ledger's clock, by which leases and votes end: it goes on with the order, and an outage ends nothing.

It follows consensus time (S18), which is a median of judges' clocks that counts each once. Where the genesis has
`timing.by_weight`, it follows the weighted median of what the members' own clocks said last. So members of less than
half of the weight cannot move it beyond the clocks of the others, however many they are. The order stays as it is.
"""

from collections.abc import Mapping

from consensus.keys import MemberId
from consensus.ledger.state.state import State
from consensus.ordered import OrderedEvent


def advance(state: State, ordered: OrderedEvent) -> None:
    """Let the clock go on to an event, the next one in the order; a longer gap counts as `timing.gap_s`."""
    gap = state.settings.timing.gap_s * 10**9
    if not state.settings.timing.by_weight:
        if state.index >= 0:
            state.clock += min(max(ordered.time - state.time, 0), gap)
        return
    before = state.weighted_time
    state.weighted_time = max(before, _weighted_time(state, ordered))
    if before:
        state.clock += min(state.weighted_time - before, gap)


def _weighted_time(state: State, ordered: OrderedEvent) -> int:
    """Take in the time of an event by its author's clock, and return the weighted median of all authors' latest."""
    author, weights = ordered.event.creator, state.roster.weights
    if author in weights:
        state.member_times[author] = max(state.member_times[author], ordered.event.time)
    return weighted_median(state.member_times, weights)


def weighted_median(times: Mapping[MemberId, int], weights: Mapping[MemberId, int]) -> int:
    """Return the least of the times up to which members of half of the weight or more are."""
    total, reached = sum(weights.values()), 0
    for member in sorted(times, key=times.__getitem__):
        reached += weights[member]
        if 2 * reached >= total:
            return times[member]
    raise ValueError("nobody has a weight")


def begin_next_epoch(state: State) -> None:
    """Forget the clocks of members that have left; of new ones the present time is assumed."""
    state.member_times = {member: state.member_times.get(member, state.weighted_time) for member in state.roster.ids}
