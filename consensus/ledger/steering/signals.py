"""The signals that weigh a configuration's share: each is a whole number of 0 to 1000, and names its inputs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeAlias

from consensus.ledger.rules.relations import relation_between

FULL = 1000
SECOND = 10**9
"""Of the ledger's clock, in ns. Ages are whole seconds, so that a person can check what follows from them."""
NEUTRAL = 500
"""The signal of what is not known yet."""

_SAME_FAMILY = 800
_SAME_BOARD = 600
_OTHER_BOARD = 400
_ERROR_LIMIT = 100_000
"""A rating with an error of so much, in thousandths of Elo, is as uncertain as can be."""


@dataclass(frozen=True)
class Signal:
    """The value of a signal, its weight in thousandths, and what it was computed from."""

    name: str
    value: int
    weight: int
    inputs: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True)
class Ages:
    """How old the newest counted games and the canonical model of a configuration are, in s of the ledger's clock."""

    games: int
    model: int


@dataclass(frozen=True)
class Rise:
    """A promotion: the score of the match beyond one half, in thousandths, how old it is, and until when it counts."""

    configuration: str
    number: int
    beyond: int
    age: int  # s
    is_above_heuristic: bool
    window_s: int

    @property
    def worth(self) -> int:
        """What it adds to the curriculum of its own configuration: four times the score, less with age."""
        return worth(self.beyond, self.age, self.window_s)

    @property
    def name(self) -> str:
        """The promotion, as people read it."""
        return _name(self.configuration, self.number)


@lru_cache(maxsize=4096)
def _name(configuration: str, number: int) -> str:
    return f"{configuration} no. {number}"


Origin: TypeAlias = tuple[str, bool]
"""The configuration of promotions, and whether its canonical model is above the heuristic."""


def worth(beyond: int, age: int, window_s: int) -> int:
    """Return what a promotion adds to the curriculum of its own configuration: four times the score, less with age."""
    return min(FULL, max(0, 4 * beyond)) * max(0, window_s - age) // max(1, window_s)


def staleness(own: Ages, oldest: Ages) -> int:
    """Return the mean of the ages of games and model, each as a part of the oldest in the swarm."""
    games = FULL * own.games // max(1, oldest.games)
    return (games + FULL * own.model // max(1, oldest.model)) // 2


def velocity_signal(own: int, fastest: int) -> int:
    """Return half, and up to half more or less for what is gained or lost against the fastest change in the swarm."""
    if fastest == 0:
        return NEUTRAL
    return NEUTRAL + NEUTRAL * max(-fastest, min(own, fastest)) // fastest


@lru_cache(maxsize=1024)
def relation(promoted: str, other: str, is_above_heuristic: bool) -> int:
    """Return the part of a promotion's rise that another configuration gets, in thousandths.

    The number of players on the same shape of board counts most, then the same board; what is learned on another one
    only if it is worth something.
    """
    parts = {"same": FULL, "shape": _SAME_FAMILY, "board": _SAME_BOARD}
    return parts.get(relation_between(promoted, other), _OTHER_BOARD if is_above_heuristic else 0)


def curriculum(raised: int, regression: int) -> int:
    """Return what promotions raise together; a regression takes away from it in proportion, in thousandths."""
    return min(FULL, raised) * (FULL - min(FULL, regression)) // FULL


def raised(configurations: Iterable[str], worths: Mapping[Origin, Sequence[int]]) -> dict[str, int]:
    """Return the sum of `parts_of_curriculum` of each configuration, from what promotions are worth.

    A configuration is related to many others in the same way: the sum of a part of its promotions is computed once.
    """
    sums: dict[tuple[Origin, int], int] = {}
    found: dict[str, int] = {}
    for name in configurations:
        total = 0
        for origin, own in worths.items():
            part = relation(origin[0], name, origin[1])
            if (origin, part) not in sums:
                sums[origin, part] = sum([each * part // FULL for each in own])
            total += sums[origin, part]
        found[name] = total
    return found


def parts_of_curriculum(configuration: str, rises: Iterable[Rise]) -> tuple[tuple[str, int], ...]:
    """Return what each promotion adds to the curriculum of a configuration, such as ("hex8-2 no. 3", 240).

    That is all that it is worth for its own, and of a sibling's the part of `relation`.
    """
    parts = []
    for rise in rises:
        part = rise.worth * relation(rise.configuration, configuration, rise.is_above_heuristic) // FULL
        if part:
            parts.append((rise.name, part))
    return tuple(parts)


def diversity(distinct: int, games: int) -> int:
    """Return the part of the games that began as another one did; half where there are no games."""
    if games == 0:
        return NEUTRAL
    return FULL - FULL * min(distinct, games) // games


def information(error: int | None) -> int:
    """Return how uncertain a rating is; half where there is none."""
    return NEUTRAL if error is None else min(FULL, FULL * error // _ERROR_LIMIT)
