"""What settings mean on large boards: fewer games of more search, and nothing else differs."""

from __future__ import annotations

from dataclasses import replace

import pytest

from consensus.ledger.priorities import next_work
from consensus.ledger.records.decisions import SteeringChange
from consensus.ledger.rules.large_boards import is_large, settings_on
from consensus.settings import LARGEST, NEW_SWARM, SelfplaySettings, Settings, SteeringSettings, TrainingSettings
from tests.consensus.ledger.swarm import SMALL, Swarm, settings


@pytest.mark.parametrize("configuration", ["square8-2", "hex8-4"])
def test_small_boards_have_the_settings_as_they_are(configuration: str) -> None:
    assert not is_large(configuration)
    assert settings_on(configuration, NEW_SWARM) is NEW_SWARM


def test_first_networks_learn_from_as_many_random_games_and_so_as_long() -> None:
    same = settings_on("square19-2", Settings(training=TrainingSettings(first_steps=0))).training
    assert (same.steps, same.first_steps) == (75, 300)


@pytest.mark.parametrize("configuration", ["square19-2", "hexagonal-4"])
def test_large_boards_have_a_quarter_of_the_games_and_search_more(configuration: str) -> None:
    found = settings_on(configuration, NEW_SWARM)
    assert is_large(configuration)
    assert (found.selfplay.games, found.selfplay.ceiling) == (64, 512)
    assert (found.training.games, found.training.window, found.training.steps) == (256, 2048, 75)
    assert (found.selfplay.simulations, found.selfplay.considered) == (64, 16)
    rest = replace(
        found,
        selfplay=replace(found.selfplay, games=256, ceiling=2048, simulations=16, considered=8),
        training=replace(found.training, games=1024, window=8192, steps=300),
    )
    assert rest == NEW_SWARM


def test_a_swarm_without_late_simulations_searches_as_much_on_every_board() -> None:
    few = Settings(selfplay=SelfplaySettings(simulations=8, late_promotions=0))
    assert settings_on("square19-2", few).selfplay.simulations == 8
    many = Settings(selfplay=SelfplaySettings(simulations=100))
    assert settings_on("square19-2", many).selfplay.simulations == 100


def test_the_least_of_everything_is_one_game() -> None:
    least = Settings(selfplay=SelfplaySettings(games=1, ceiling=2), training=TrainingSettings(games=2, window=1))
    found = settings_on("hexagonal-2", least)
    assert (found.selfplay.games, found.selfplay.ceiling, found.training.games, found.training.window) == (1, 1, 1, 1)


def test_a_number_that_cannot_be_doubled_stays_as_large_as_it_may_be() -> None:
    """Members had set it on small boards; then a large one was added, and no node could say what holds there."""
    most = Settings(selfplay=SelfplaySettings(considered=LARGEST))
    assert settings_on("hexagonal-4", most).selfplay.considered == LARGEST
    swarm = Swarm(4, settings(steering=SteeringSettings(rules=1)))
    swarm.agree(SteeringChange("set", setting="selfplay.considered", value=str(LARGEST)), 0, 1, 2)
    swarm.agree(SteeringChange("add", configuration="hexagonal-4"), 0, 1, 2)
    assert next_work(swarm.ledger, swarm.id(1), ("selfplay",)) is not None


def test_games_on_large_boards_are_played_and_trained_on_by_these_settings() -> None:
    own = SelfplaySettings(games=32, ceiling=256, random_games=0, simulations=8, late_simulations=32, considered=4)
    training = replace(SMALL.training, games=128, window=256)
    swarm = Swarm(4, settings(configurations=("square19-2",), selfplay=own, training=training))
    model = swarm.ledger.configuration("square19-2").model.digest
    found = swarm.ledger.selfplay_settings("square19-2", model)
    assert (found.simulations, found.considered) == (32, 8)
    assert next_work(swarm.ledger, swarm.id(1), ("train",)) is None
    swarm.play(2, games=32, configuration="square19-2")
    work = next_work(swarm.ledger, swarm.id(1), ("train",))
    assert work is not None
    assert (work.kind, work.configuration, work.amount) == ("train", "square19-2", 75)
    swarm.play(2, games=32, configuration="square19-2")
    assert next_work(swarm.ledger, swarm.id(1), ("selfplay",)) is None
