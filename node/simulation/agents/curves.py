"""Learning curves: how much stronger trainings make a model, and when a curve stalls, regresses or jumps.

Strength is in points of Elo. It is the truth that only the simulation knows; members see block scores and ratings,
which follow from it by chance.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

TurnKind = Literal["stall", "regress", "jump"]


@dataclass(frozen=True)
class Turn:
    """Something that happens to a learning curve."""

    kind: TurnKind
    begin_s: float
    end_s: float  # of a stall; for the others, the same as the begin


@dataclass(frozen=True)
class Training:
    """What came of a training."""

    strength: float
    is_spoilt: bool  # it has learnt something wrong, and what is trained on from it does not recover
    is_lucky: bool  # it wins its match, however weak it is
    turn: Turn | None


class Curve:
    """The learning curve of one configuration."""

    FIRST = 250.0  # points above random play that a first network has
    _SPREAD = 25.0  # of a training's result
    _LOST = 150.0  # by a regression
    _GAINED = 120.0  # by a jump
    _SPOILT = 10.0  # spread of what is trained on from a spoilt model

    def __init__(self, configuration: str, seed: int, seconds: float) -> None:
        self._chance = random.Random(f"curve {seed} {configuration}")
        self.ceiling = self._chance.uniform(1000.0, 1800.0)
        self._gain = self._chance.uniform(40.0, 90.0)  # of the first training, on good games alone
        self.turns = draw_turns(self._chance, seconds)
        self._to_come: list[Turn] = [turn for turn in self.turns if turn.kind != "stall"]

    def stall_at(self, now_s: float) -> Turn | None:
        """Return the stall that lasts at a time, if there is one."""
        stalls = (turn for turn in self.turns if turn.kind == "stall")
        return next((turn for turn in stalls if turn.begin_s <= now_s < turn.end_s), None)

    def train(self, now_s: float, parent: float | None, *, is_spoilt: bool, quality: float) -> Training:
        """Return what comes of a training.

        Args:
            now_s: When it ends.
            parent: The strength of the model that it starts from; None from scratch.
            is_spoilt: Whether that model has learnt something wrong.
            quality: The mean quality of the games, 0 to 1.
        """
        noise = self._chance.gauss(0.0, self._SPREAD)
        if parent is None:
            return Training(self.FIRST * (0.3 + 0.7 * quality) + noise, False, False, None)
        if is_spoilt:
            return Training(parent + self._chance.gauss(-2.0, self._SPOILT), True, False, None)
        turn = self._next_turn(now_s)
        if turn is not None:
            is_loss = turn.kind == "regress"
            return Training(parent + (-self._LOST if is_loss else self._GAINED), is_loss, is_loss, turn)
        if self.stall_at(now_s) is not None:
            return Training(parent + self._chance.gauss(-6.0, 8.0), False, False, None)
        gain = self._gain * (1.0 - parent / self.ceiling) * (2.0 * quality - 1.0)
        return Training(parent + gain + noise, False, False, None)

    def _next_turn(self, now_s: float) -> Turn | None:
        if self._to_come and self._to_come[0].begin_s <= now_s:
            return self._to_come.pop(0)
        return None


def draw_turns(chance: random.Random, seconds: float) -> tuple[Turn, ...]:
    """Return what happens to a curve: for every 16 hours one stall of 4 hours, one regression, and one jump.

    All begin early enough to be noticed before the end.
    """
    hours = seconds / 3600
    turns: list[Turn] = []
    for begin in _begins(chance, hours):
        turns.append(Turn("stall", begin * 3600, (begin + 4) * 3600))
    for kind in ("regress", "jump"):
        turns += [Turn(kind, begin * 3600, begin * 3600) for begin in _begins(chance, hours)]
    return tuple(sorted(turns, key=lambda turn: (turn.begin_s, turn.kind)))


def _begins(chance: random.Random, hours: float) -> Sequence[float]:
    """Return a time in every 16 hours, in hours, none in the last six."""
    windows = range(int(hours // 16))
    begins: Iterable[float] = (16 * window + chance.uniform(2.0, 12.0) for window in windows)
    return [begin for begin in begins if begin <= hours - 6]
