"""The world that all agents of a run share."""

from __future__ import annotations

from dataclasses import dataclass

from consensus.ledger import Ledger
from node.simulation.agents.measures import Measures
from node.simulation.agents.models import Models
from node.simulation.agents.order import Order
from node.simulation.agents.timeline import Timeline


@dataclass(frozen=True)
class World:
    """Time, the order with its ledger, the truth about models, and what is measured."""

    seed: int
    timeline: Timeline
    order: Order
    models: Models
    measures: Measures

    @property
    def ledger(self) -> Ledger:
        """The ledger after the last decided round."""
        return self.order.ledger
