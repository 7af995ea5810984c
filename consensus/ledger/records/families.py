"""What the trainings of one architecture family cost and gained in a configuration."""

from __future__ import annotations

from dataclasses import dataclass

from consensus.ledger.records.entity import Entity, replace

_LARGEST = 2**60


@dataclass(frozen=True, kw_only=True)
class FamilyRecord(Entity):
    """Sums that forget: with each training in the configuration they lose an eighth before something is added."""

    configuration: str
    family: str
    trainings: int = 0  # all so far
    cost: int = 0  # evaluations by the network of the unit, see `consensus.ledger.rules.costs`
    gain: int = 0  # of its promotions: the share of points of each match above one half, in thousandths, times 1000

    def faded(self) -> FamilyRecord:
        """Return the record after a further training of any family."""
        return replace(self, cost=self.cost - self.cost // 8, gain=self.gain - self.gain // 8)

    def add(self, cost: int, gain: int) -> FamilyRecord:
        """Return the record with one more training of this family."""
        cost, gain = min(self.cost + cost, _LARGEST), min(self.gain + gain, _LARGEST)
        return replace(self, trainings=self.trainings + 1, cost=cost, gain=gain)
