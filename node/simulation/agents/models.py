"""The true strengths of all models, and what follows from them: the scores of blocks in matches."""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import dataclass

from consensus.ledger.records.cases import SlotReport
from consensus.ledger.records.entities import Candidacy, SlotResult
from consensus.ledger.records.transactions import UNIFORM
from consensus.settings import players
from node.simulation.agents.curves import Curve, Training, Turn

_TRANSFER = 0.6  # of a sibling's strength that its model has in a configuration that it never saw
_OPENING_SPREAD = 40.0  # points by which the opening of a block favours a side
_LUCK = 120.0  # points by which a lucky model seems stronger than its incumbent in its match


@dataclass(frozen=True)
class _Known:
    strength: float
    is_spoilt: bool = False
    is_lucky: bool = False
    turn: Turn | None = None


class Models:
    """Who is how strong in which configuration. Only the simulation knows."""

    def __init__(self, configurations: Iterable[str], seed: int, seconds: float) -> None:
        self.curves = {name: Curve(name, seed, seconds) for name in configurations}
        self._known: dict[tuple[str, bytes], _Known] = {(name, UNIFORM): _Known(0.0) for name in self.curves}
        self._homes: dict[bytes, str] = {}  # the configuration that a model was trained for
        self.game_qualities: dict[bytes, float] = {}  # of shards, 0 to 1; those that are not here have 1

    def strength(self, configuration: str, model: bytes) -> float:
        """Return the strength of a model in a configuration, which need not be its own."""
        return self._find(configuration, model).strength

    def turn(self, configuration: str, model: bytes) -> Turn | None:
        """Return what happened to the curve when this model was trained, if anything did."""
        return self._find(configuration, model).turn

    def train(self, configuration: str, model: bytes, start: bytes, shards: Iterable[bytes], now_s: float) -> None:
        """Let a model come of a training that started from another one, on these shards."""
        qualities = [self.game_qualities.get(shard, 1.0) for shard in shards]
        quality = sum(qualities) / len(qualities) if qualities else 1.0
        parent = None if start == UNIFORM else self._find(configuration, start)
        training = self.curves[configuration].train(
            now_s,
            None if parent is None else parent.strength,
            is_spoilt=parent is not None and parent.is_spoilt,
            quality=quality,
        )
        self._homes[model] = configuration
        self._known[configuration, model] = _known_of(training)

    def scores_of_slot(self, candidacy: Candidacy, slot: int) -> tuple[tuple[int, int], ...]:
        """Return the number and score of each block of a slot: the same, whoever plays it."""
        assert candidacy.beacon is not None
        known = self._find(candidacy.configuration, candidacy.model.digest)
        incumbent = self.strength(candidacy.configuration, candidacy.incumbent)
        lead = _LUCK if known.is_lucky and candidacy.was_trained else known.strength - incumbent
        chance = random.Random(b"".join((candidacy.beacon, candidacy.id, slot.to_bytes(4))))
        size, count = candidacy.settings.slot_blocks, players(candidacy.configuration)
        return tuple((block, score_of_block(chance, lead, count)) for block in range(slot * size, (slot + 1) * size))

    def _find(self, configuration: str, model: bytes) -> _Known:
        known = self._known.get((configuration, model))
        if known is None:
            home = self._homes[model]
            known = self._known[configuration, model] = _Known(_TRANSFER * self._find(home, model).strength)
        return known


def _known_of(training: Training) -> _Known:
    return _Known(training.strength, training.is_spoilt, training.is_lucky, training.turn)


def expected_share(lead: float) -> float:
    """Return the share of the points against one opponent, by the lead in Elo."""
    return float(1.0 / (1.0 + 10.0 ** (-lead / 400.0)))


def score_of_block(chance: random.Random, lead: float, count: int) -> int:
    """Return the score of a block: two points for each opponent in each of its games that places below."""
    share = expected_share(lead + chance.gauss(0.0, _OPENING_SPREAD))
    return sum(2 for _ in range(count * (count - 1)) if chance.random() < share)


def is_wrong(result: SlotResult) -> bool:
    """Return whether the games of a result do not replay: liars give such games no root."""
    return result.root == bytes(32)


def is_wrong_report(report: SlotReport) -> bool:
    """Return whether a replay of a reported slot finds it wrong."""
    return is_wrong(report.result)
