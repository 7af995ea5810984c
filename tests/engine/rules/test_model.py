"""Every rule against a second, plain writing of all of them, move by move from the start and from unusual positions."""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.config import CONFIGS, Config
from engine.games import Games
from engine.move_parser import legal_texts
from engine.notation import ending_text
from engine.rules import state as record
from tests.engine.model import Model
from tests.engine.rules.test_unusual_positions import positions

TRACKER = (record.LEADER, record.MASK, record.STREAK_OWNER, record.STREAK)


def agree(games: Games, model: Model) -> list[str]:
    """Assert that a game and the model are in the same state; return the texts of the legal moves."""
    row = games.states[0]
    assert games.text(0) == model.text()
    assert (ending_text(row), int(games.winner()[0])) == (model.ending, model.winner)
    texts = legal_texts(games, 0)
    if model.winner:
        assert texts == []
        return texts
    assert tuple(int(row[field]) for field in TRACKER) == model.hidden()
    assert len(texts) == len(set(texts))
    assert set(texts) == model.legal()
    return texts


def choose(texts: list[str], chance: random.Random) -> int:
    """A move of a random kind, so that what is rare among many moves is played often."""
    kinds = [text.split()[0] + (text.split()[3] if text.startswith("RS") else "") for text in texts]
    wanted = chance.choice(sorted(set(kinds)))
    return chance.choice([place for place, kind in enumerate(kinds) if kind == wanted])


def play_both(games: Games, model: Model, seed: int, steps: int) -> int:
    """Play on, at most so many moves, each applied to both; return how many were played."""
    chance = random.Random(seed)
    for step in range(steps):
        texts = agree(games, model)
        if not texts:
            return step
        place = choose(texts, chance) if seed % 2 else chance.randrange(len(texts))
        games.apply(games.legal().moves[[place]], check=False)
        model.play(texts[place])
    agree(games, model)
    return steps


def from_the_start(config: Config, count: int, steps: int) -> None:
    for seed in range(count):
        swap = config.players == 2 and seed % 4 > 1
        play_both(Games.new(config, 1, swap=swap), Model(config, swap), seed, steps)


def from_anywhere(config: Config, examples: int, steps: int) -> None:
    @settings(
        max_examples=examples,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )
    @given(positions(config), st.integers(0, 2**32))
    def property_holds(games: Games, seed: int) -> None:
        play_both(games, Model(config).read(games.text(0)), seed, steps)

    property_holds()


def test_games_agree_with_the_model(any_config: Config) -> None:
    small = any_config.rings == 18
    from_the_start(any_config, 4, 400 if small else 16)


def test_unusual_games_agree_with_the_model(any_config: Config) -> None:
    small = any_config.rings == 18
    from_anywhere(any_config, 40 if small else 3, 25 if small else 6)


@pytest.mark.slow
def test_many_games_agree_with_the_model(any_config: Config) -> None:
    small = any_config.rings == 18
    from_the_start(any_config, 60 if small else 4, 1000 if small else 300)
    from_anywhere(any_config, 400 if small else 20, 100 if small else 20)


@pytest.mark.parametrize("name", ["square8-2", "hex8-3", "square8-4"])
def test_the_model_notices_a_changed_state(name: str, kernels: None) -> None:
    config = CONFIGS[name]
    games, model = Games.new(config, 1), Model(config)
    play_both(games, model, 1, 60)
    for field in (record.HAND + 1, record.PLAYER, record.MASK, record.STREAK, record.PHASE):
        changed = games.copy()
        changed.states[0, field] ^= 1
        with pytest.raises((AssertionError, IndexError)):
            agree(changed, model)
    assert np.array_equal(games.states, games.copy().states)
