"""Swarms whose models have played as many rating games as a test wants, with the points that it wants."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from consensus.ledger.records.entities import Slot, SlotResult
from consensus.ledger.records.ratings import Opponent, Player, Series
from consensus.settings import Settings, SteeringSettings
from tests.consensus.ledger.swarm import SMALL, Swarm, digest_of

STEERED = replace(SMALL, steering=SteeringSettings(rules=1))
BLOCKS = 32


class RatedSwarm(Swarm):
    """Results are put into the series without claims; so a test can have many."""

    def __init__(self, count: int = 4, settings: Settings = STEERED) -> None:
        super().__init__(count, settings)

    def played(
        self,
        model: bytes,
        opponent: Opponent,
        *,
        player: Player = "search",
        number: int = 0,
        other: bytes | None = None,
    ) -> Series:
        (found,) = (
            entry
            for entry in self.ledger.series("hex8-2")
            if (entry.pair.model, entry.pair.opponent, entry.pair.player) == (model, opponent, player)
            and entry.number == number
            and other in (None, entry.pair.opponent_model)
        )
        return found

    def put(self, series: Series, points: Sequence[int]) -> None:
        """Put the points of the first blocks of a series into it."""
        size, slots = series.settings.slot_blocks, list(series.slots)
        for number in range(len(points) // size):
            result = SlotResult(
                author=self.id(1 + number % 2), scores=tuple(points[number * size : (number + 1) * size]),
                root=digest_of("root"), blob=digest_of("blob", number), size=9, games=2 * size, place=series.place,
            )  # fmt: skip
            slots[number] = Slot(None, result)
        self.ledger._state.series[series.id] = replace(series, slots=tuple(slots))
        self.ledger._remembered.clear()  # as a round does

    def model_of(self, name: str) -> bytes:
        return self.model(name)[0]
