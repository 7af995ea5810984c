"""The machines of a simulated swarm: how fast they are, what they cost, how long they stay, and how they lie."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

ROLES = ("match", "selfplay", "train")


@dataclass(frozen=True, kw_only=True)
class DeviceClass:
    """A kind of machine. Rates are of the network that the swarm trains."""

    name: str
    share: float  # of all machines
    evaluations_per_s: int
    positions_per_s: int  # of training
    cost: int  # millionths an hour
    life_s: float  # mean time until it leaves for a while
    tells_life: bool = False  # it is lent for this time at most, and its profile says so


DEVICE_CLASSES = (
    DeviceClass(
        name="laptop",
        share=0.35,
        evaluations_per_s=1_000,
        positions_per_s=500,
        cost=2_000,
        life_s=6 * 3600,
    ),
    DeviceClass(
        name="desktop",
        share=0.35,
        evaluations_per_s=4_000,
        positions_per_s=2_000,
        cost=10_000,
        life_s=24 * 3600,
    ),
    DeviceClass(
        name="server",
        share=0.2,
        evaluations_per_s=8_000,
        positions_per_s=4_000,
        cost=80_000,
        life_s=96 * 3600,
    ),
    DeviceClass(
        name="gpu",
        share=0.1,
        evaluations_per_s=32_000,
        positions_per_s=40_000,
        cost=900_000,
        life_s=8 * 3600,
        tells_life=True,
    ),
)
"""From small to large."""


@dataclass(frozen=True, kw_only=True)
class Character:
    """How a member behaves. The default is honest."""

    name: str = "honest"
    rate_factor: int = 1  # by which it boasts in its profile
    game_quality: float = 1.0  # of its shards: 0 teaches nothing
    false_facts: bool = False  # it says of its shards what is not so
    false_results: bool = False  # its match results do not replay
    holds: bool = False  # it takes claims that others wait for, tells progress, and does nothing

    forks: bool = False  # it signs two events with one number, once

    @property
    def roles(self) -> tuple[str, ...]:
        """The work that it asks for."""
        return ("match", "train") if self.holds else ROLES

    @property
    def is_honest(self) -> bool:
        """Whether it does what it says."""
        return self == HONEST


HONEST = Character()
LIARS = (
    Character(name="rates", rate_factor=10),
    Character(name="quality", game_quality=0.0),
    Character(name="facts", game_quality=0.2, false_facts=True),
    Character(name="results", false_results=True),
    Character(name="holds", holds=True),
    Character(name="forks", forks=True),
)
"""In turn, as a swarm grows."""


@dataclass(frozen=True, kw_only=True)
class Machine:
    """A machine and what its owner intends."""

    number: int
    device: str
    evaluations_per_s: float
    positions_per_s: float
    cost: int
    life_s: float
    tells_life: bool
    character: Character

    def draw_session_s(self, chance: random.Random) -> float:
        """Return for how long it stays this time."""
        return self.life_s * chance.uniform(0.8, 1.0) if self.tells_life else chance.expovariate(1 / self.life_s)


def draw_machines(seed: int, count: int) -> list[Machine]:
    """Return machines of all classes, shuffled; a fifth of them are liars, at least one where they may be one."""
    chance = random.Random(f"machines {seed}")
    classes = _spread(count)
    chance.shuffle(classes)
    liars = min(max(count // 5, 1), (count - 1) // 3)
    characters = [LIARS[number % len(LIARS)] for number in range(liars)] + [HONEST] * (count - liars)
    chance.shuffle(characters)
    machines = []
    for number, (kind, character) in enumerate(zip(classes, characters, strict=True)):
        speed = chance.uniform(0.7, 1.4)
        machines.append(
            Machine(
                number=number,
                device=kind.name,
                evaluations_per_s=kind.evaluations_per_s * speed,
                positions_per_s=kind.positions_per_s * speed,
                cost=kind.cost,
                life_s=kind.life_s * chance.uniform(0.5, 1.5),
                tells_life=kind.tells_life,
                character=character,
            )
        )
    return machines


def _spread(count: int) -> list[DeviceClass]:
    """Return so many classes of machines, by their shares."""
    classes: list[DeviceClass] = []
    for place in range(count):
        classes.append(_class_at(DEVICE_CLASSES, (place + 0.5) / count))
    return classes


def _class_at(classes: Sequence[DeviceClass], part: float) -> DeviceClass:
    for kind in classes:
        part -= kind.share
        if part < 0:
            return kind
    return classes[-1]
