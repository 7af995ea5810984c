"""Every setting that a ballot can change, at its least and its largest value: the swarm goes on all the same."""

from __future__ import annotations

import random
from dataclasses import fields, replace
from fractions import Fraction

import pytest

from consensus.ledger.priorities import why_rest
from consensus.ledger.records.decisions import SteeringChange
from consensus.ledger.records.transactions import HELD_LIMIT, Held, Transaction
from consensus.ledger.steering import shares
from consensus.ledger.steering.custody import due_custody
from consensus.settings import (
    LARGEST,
    LONGEST_S,
    SECTIONS,
    SHARD_GAMES,
    MatchSettings,
    SelfplaySettings,
    Settings,
    SettingsError,
    SteeringSettings,
    TrainingSettings,
    is_fixed,
)
from tests.consensus.ledger.swarm import Swarm
from tests.consensus.ledger.worker import ROLES, Worker

SETTINGS = Settings(
    selfplay=SelfplaySettings(games=8, random_games=0, ceiling=64),
    training=TrainingSettings(games=16, window=64),
    match=MatchSettings(slot_blocks=1, block_limit=16, alpha=Fraction(1, 3), beta=Fraction(1, 3), p1=Fraction(3, 4)),
    steering=SteeringSettings(rules=1, cooldown_s=0),
)
TURNS = 40
PLAYS_ON = {("selfplay.random_games", str(LARGEST))}
"""With these values nothing is ever promoted: that many random games are played first."""

LARGE = (8, 16, 30, 60, 500, 1000, 4096, SHARD_GAMES, LONGEST_S, LARGEST)
SHARES = (
    Fraction(1, LARGEST),
    Fraction(1, 2),
    Fraction(101, 200),
    Fraction(2, 3),
    Fraction(LARGEST - 1, LARGEST),
    Fraction(1),
)
NAMES = {"training.architecture": ("c4b1", "c256b20"), "steering.families": ("c4b1", "c4b1.c8b1.c16b2.c256b20")}


def changeable() -> list[str]:
    names = [f"{section}.{item.name}" for section, kind in SECTIONS.items() for item in fields(kind)]  # type: ignore[arg-type]
    return [name for name in names if not is_fixed(name)]


def fits(setting: str, value: str) -> bool:
    try:
        return SETTINGS.with_values({setting: value}).text_of(setting) == value
    except SettingsError:
        return False


def limits(setting: str) -> list[str]:
    """The least and the largest value that can be used with the others."""
    present = SETTINGS.text_of(setting)
    if setting in NAMES:
        return list(NAMES[setting])
    values = [str(share) for share in SHARES] if "/" in present else [str(number) for number in (0, 1, *LARGE)]
    usable = [value for value in values if fits(setting, value)]
    return [value for value in dict.fromkeys((usable[0], usable[-1])) if value != present]


CASES = [(setting, value) for setting in changeable() for value in limits(setting)]


def decide(swarm: Swarm, setting: str, value: str | None, configuration: str | None = None) -> None:
    change = SteeringChange("set", setting=setting, value=value, configuration=configuration)
    swarm.agree(change, 0, 1, 2)


def workers_of(swarm: Swarm) -> list[Worker]:
    workers = [Worker(key, seed=number, strength=0.95, longest=2) for number, key in enumerate(swarm.keys)]
    for worker in workers:
        worker.ids = 10**6  # `decide` takes those below
    return workers


def wishes(swarm: Swarm, worker: Worker) -> list[Transaction]:
    """What a worker does, and that it holds what it is to hold."""
    due = due_custody(swarm.ledger, worker.key.id)[:HELD_LIMIT]
    worker.ids += 1
    held = [Held(worker.ids, tuple(entry.shard.digest for entry in due))] if due else []
    return [*worker.wishes(swarm.ledger), *held]


def work(swarm: Swarm, workers: list[Worker], turns: int) -> None:
    """Everybody does what the priorities say; whatever they compute exists."""
    for _ in range(turns):
        said = [(worker.key.id, [wish.as_table() for wish in wishes(swarm, worker)]) for worker in workers]
        swarm.order(*said)
    assert sum(entry.share for entry in shares.table(swarm.ledger)) == 1000
    for worker in workers:
        why_rest(swarm.ledger, worker.key.id, ROLES)


def test_every_setting_has_limits() -> None:
    assert {setting for setting, _ in CASES} == set(changeable())
    assert len(CASES) > 1.5 * len(changeable())


@pytest.mark.parametrize(("setting", "value"), CASES)
def test_a_swarm_goes_on_with_a_setting_at_its_limit(setting: str, value: str) -> None:
    swarm = Swarm(4, SETTINGS)
    decide(swarm, setting, value)
    assert swarm.ledger.settings.text_of(setting) == value
    work(swarm, workers_of(swarm), TURNS)
    assert bool(swarm.ledger.promotions()) == ((setting, value) not in PLAYS_ON)


@pytest.mark.parametrize("seed", range(12))
def test_several_at_their_limits_can_be_taken_back_and_then_all_goes_on(seed: int) -> None:
    """Those of the swarm and those of single configurations: whatever they are together, members can still decide."""
    chance = random.Random(seed)
    names = ("hex8-2", "hexagonal-2", "square8-2")
    swarm = Swarm(4, replace(SETTINGS, configurations=names))
    workers = workers_of(swarm)
    for setting, value in chance.sample(CASES, 12):
        decide(swarm, setting, value, chance.choice([None, None, *names]))
    work(swarm, workers, 20)
    for entry in swarm.ledger.changed_settings():
        setting, configuration = entry.change.setting or "", entry.change.configuration
        decide(swarm, setting, None if configuration else SETTINGS.text_of(setting), configuration)
    for entry in swarm.ledger.changed_settings():  # what did not fit with another one that has been taken back now
        if entry.change.configuration is None:
            decide(swarm, entry.change.setting or "", SETTINGS.text_of(entry.change.setting or ""))
    assert swarm.ledger.settings == replace(SETTINGS, configurations=names)
    before = len(swarm.ledger.promotions())
    work(swarm, workers, 2 * TURNS)
    assert len(swarm.ledger.promotions()) > before
    assert swarm.replayed().digest() == swarm.ledger.digest()
