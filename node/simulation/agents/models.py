"""The true strengths of all models, and what follows from them: the scores of blocks in matches."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TypeAlias

from consensus.ledger.records.cases import SlotReport
from consensus.ledger.records.entities import Candidacy, SlotResult
from consensus.ledger.records.ratings import Contest, Series
from consensus.ledger.records.transactions import UNIFORM
from consensus.settings import players
from node.simulation.agents.curves import Curve, Training, Turn

_TRANSFER = 0.6  # of a sibling's strength that its model has in a configuration that it never saw
_OPENING_SPREAD = 40.0  # points by which the opening of a block favours a side
_LUCK = 120.0  # points by which a lucky model seems stronger than its incumbent in its match
_SEARCH = 150.0  # points by which a search is stronger than its policy alone
_FIXED: Mapping[str, float] = MappingProxyType({"random": 0.0, "heuristic": 450.0})  # strengths of fixed opponents

BlockScores: TypeAlias = tuple[tuple[int, int], ...]


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
        self._qualities: dict[bytes, float] = {}  # of shards, 0 to 1; those that are not here have 1
        self._false: set[bytes] = set()  # shards that are not what was said of them

    def strength(self, configuration: str, model: bytes) -> float:
        """Return the strength of a model in a configuration, which need not be its own."""
        return self._find(configuration, model).strength

    def turn(self, configuration: str, model: bytes) -> Turn | None:
        """Return what happened to the curve when this model was trained, if anything did."""
        return self._find(configuration, model).turn

    def observe_shard(self, shard: bytes, *, quality: float, is_false: bool) -> None:
        """Take in a shard of a liar: what its games are worth, from 0 to 1, and whether it is not what was said."""
        self._qualities[shard] = quality
        if is_false:
            self._false.add(shard)

    def is_false(self, shard: bytes) -> bool:
        """Return whether a check of a shard finds it wrong."""
        return shard in self._false

    def train(self, configuration: str, model: bytes, start: bytes, shards: Iterable[bytes], now_s: float) -> None:
        """Let a model come of a training that started from another one, on these shards."""
        qualities = [self._qualities.get(shard, 1.0) for shard in shards]
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

    def scores_of_match(self, candidacy: Candidacy, slot: int) -> BlockScores:
        """Return the number and score of each block of a slot: the same, whoever plays it."""
        known = self._find(candidacy.configuration, candidacy.model.digest)
        incumbent = self.strength(candidacy.configuration, candidacy.incumbent)
        is_lucky = known.is_lucky and candidacy.was_trained
        return _scores(candidacy, slot, _LUCK if is_lucky else known.strength - incumbent)

    def scores_of_series(self, series: Series, slot: int) -> BlockScores:
        """Return the same for a slot of a series."""
        pair = series.pair
        strength = self.strength(pair.configuration, pair.model) - (_SEARCH if pair.player == "policy" else 0.0)
        if pair.opponent == "model":
            assert pair.opponent_model is not None
            return _scores(series, slot, strength - self.strength(pair.configuration, pair.opponent_model))
        return _scores(series, slot, strength - _FIXED[pair.opponent])

    def _find(self, configuration: str, model: bytes) -> _Known:
        known = self._known.get((configuration, model))
        if known is None:
            home = self._homes[model]
            known = self._known[configuration, model] = _Known(_TRANSFER * self._find(home, model).strength)
        return known


def _scores(contest: Contest, slot: int, lead: float) -> BlockScores:
    assert contest.beacon is not None
    chance = random.Random(b"".join((contest.beacon, contest.id, slot.to_bytes(4))))
    size, count = contest.settings.slot_blocks, players(contest.configuration)
    return tuple((block, score_of_block(chance, lead, count)) for block in range(slot * size, (slot + 1) * size))


def _known_of(training: Training) -> _Known:
    return _Known(training.strength, training.is_spoilt, training.is_lucky, training.turn)


def chance_to_win(lead: float, count: int) -> float:
    """Return the probability of winning a game of `count` players, of which all others are so many points weaker."""
    return float(1.0 / (1.0 + (count - 1) * 10.0 ** (-lead / 400.0)))


def score_of_block(chance: random.Random, lead: float, count: int) -> int:
    """Return the score of a block of `count` games, each of which one of the players wins.

    There are two points for each opponent that places below, and one for each that shares a place: for a game that
    another one wins, those that lose like us.
    """
    probability = chance_to_win(lead + chance.gauss(0.0, _OPENING_SPREAD), count)
    won = sum(chance.random() < probability for _ in range(count))
    return won * 2 * (count - 1) + (count - won) * (count - 2)


def is_wrong(result: SlotResult) -> bool:
    """Return whether the games of a result do not replay: liars give such games no root."""
    return result.root == bytes(32)


def is_wrong_report(report: SlotReport) -> bool:
    """Return whether a replay of a reported slot finds it wrong."""
    return is_wrong(report.result)
