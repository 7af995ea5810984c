"""Self-play that counts: its cost goes into the window of its configuration, if the swarm is steered by cost."""

from __future__ import annotations

from consensus.ledger.records.deliveries import Deliveries
from consensus.ledger.records.entities import Shard
from consensus.ledger.state.state import State


def deliveries_of(state: State, configuration: str) -> Deliveries:
    """Return what was delivered to a configuration so far."""
    return state.deliveries.get(configuration) or Deliveries(configuration=configuration)


def record_delivery(state: State, shard: Shard) -> None:
    """Count the cost of a shard that is counted from now on."""
    window_ns = state.settings.steering.window_s * 10**9
    before = deliveries_of(state, shard.configuration)
    state.deliveries[shard.configuration] = before.add(shard.clock, window_ns, shard.cost, shard.games)


def take_back(state: State, shard: Shard) -> None:
    """Count the cost of a shard no longer."""
    before = deliveries_of(state, shard.configuration)
    state.deliveries[shard.configuration] = before.remove(shard.clock, shard.cost, shard.games)
