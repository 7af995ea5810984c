"""How far self-play of a configuration leaves the best moves, and the losses by which that is decided."""

from __future__ import annotations

from dataclasses import dataclass

from consensus.ledger.records.entity import Entity


@dataclass(frozen=True)
class Exploration(Entity):
    """The exploration of one configuration."""

    configuration: str
    level: int = 0  # thousandths: so much more opening plies and root noise than the settings say
    losses: tuple[int, ...] = ()  # sums of the losses of the last trained candidates, millionths, oldest first
