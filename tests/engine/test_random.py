"""Random numbers from counters, and random play from them."""

import hashlib

import numpy as np
import pytest

from engine.backend.dialect import Word
from engine.config import Config, config
from engine.games import Games
from engine.random import mix, random_below, random_word


def test_mix_is_splitmix64() -> None:
    # first three outputs of the published generator for seed 1234567: state += gamma, then this finaliser
    state, outputs = Word(1234567), []
    for _ in range(3):
        state = Word(state + 0x9E3779B97F4A7C15)
        outputs.append(mix(state))
    assert outputs == [6457827717110365317, 3203168211198807973, 9817491932198370423]


def test_numbers_are_even_and_independent() -> None:
    drawn = np.array([[random_below(Word(7), Word(g), Word(s), 6) for s in range(200)] for g in range(100)])
    counts = np.bincount(drawn.ravel(), minlength=6)
    # 20,000 draws: chi-square with 5 degrees of freedom, 0.1% point
    assert ((counts - 20000 / 6) ** 2 / (20000 / 6)).sum() < 20.5
    assert abs(np.corrcoef(drawn[:, 0], drawn[:, 1])[0, 1]) < 0.35
    words = {random_word(Word(a), Word(b), Word(c)) for a in range(12) for b in range(12) for c in range(12)}
    assert len(words) == 12**3


def test_bounds_are_kept() -> None:
    assert {random_below(Word(1), Word(2), Word(step), 1) for step in range(50)} == {0}
    assert max(random_below(Word(1), Word(2), Word(step), 2**31 - 1) for step in range(200)) > 2**30


def test_a_game_alone_and_in_portions_is_the_same_game(small_config: Config) -> None:
    together = Games.new(small_config, 9)
    together.play_randomly(seed=99, steps=60, numbers=np.arange(100, 109))
    alone = Games.new(small_config, 1)
    for _ in range(6):
        alone.play_randomly(seed=99, steps=10, numbers=[104])
    assert (alone.states[0] == together.states[4]).all()
    assert len({row.tobytes() for row in together.states}) == 9


PLAYED = {
    "square8-2": "7e0aaa67d1a371cc",
    "square8-3": "22e640df13717f36",
    "square8-4": "cb4cb63d54ba5484",
    "hex8-2": "0f28cd3736fd8af4",
    "hex8-3": "5d43d55c945dd3bc",
    "hex8-4": "0e5f7d01e1748785",
    "square19-2": "a13c25ef85316af6",
    "square19-3": "7f292b27b3e7a54a",
    "square19-4": "277e19e8a138ef61",
    "hexagonal-2": "d4481068e1b391ed",
    "hexagonal-3": "c50174066ccc9704",
    "hexagonal-4": "1a32ea048b62ec50",
}


@pytest.mark.parametrize("name", PLAYED)
def test_random_play_stays_what_it_is(name: str, kernels: None) -> None:
    """Any change of the rules, of the order of enumeration or of the random numbers shows here at once."""
    games = Games.new(config(name), 16)
    games.play_randomly(seed=20251122, steps=400)
    texts = "\n".join(games.text(game) for game in range(16))
    assert hashlib.sha256(texts.encode()).hexdigest()[:16] == PLAYED[name]
