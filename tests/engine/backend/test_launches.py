"""Recorded launches: whatever arrays come, in whatever order, from whatever thread."""

import gc
import weakref
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from engine.backend.cpu import cpu
from engine.backend.dialect import Lanes
from engine.config import CONFIGS, Config, config
from engine.games import Games
from engine.kernels import find_legal
from engine.rules import scratch_width, tables

HEX = config("hex8-2")


def legal_counts(settings: Config, states: np.ndarray, scratch: Lanes | None = None) -> np.ndarray:
    counts = np.full(len(states), -1, np.int32)
    room = np.zeros((len(states), 8), np.int64)
    lanes = scratch or Lanes(scratch_width(settings), np.int32)
    cpu().launch(find_legal, len(states), tables(settings), states, lanes, room, counts)
    return counts


def test_batches_of_all_sizes_and_configurations_in_turn(kernels: None) -> None:
    everywhere = [Games.new(made, count) for made in CONFIGS.values() for count in (1, 3, 1, 7)]
    expected = [np.diff(games.legal().offsets) for games in everywhere]
    for _ in range(2):
        for games, counts in zip(everywhere, expected, strict=True):
            assert (counts == counts[0]).all()
            assert (legal_counts(games.config, games.states) == counts).all()


def test_the_same_array_with_other_contents(kernels: None) -> None:
    games = Games.new(HEX, 2)
    first = games.states.copy()
    before = legal_counts(HEX, games.states)
    games.play_randomly(seed=1, steps=1)
    after = legal_counts(HEX, games.states)
    assert (before != after).all()
    games.states[:] = first
    assert (legal_counts(HEX, games.states) == before).all()


def test_an_array_that_took_the_place_of_another(kernels: None) -> None:
    played = Games.new(HEX, 1)
    for step in range(30):  # every array below dies before the next is made, mostly at the same address
        rows = np.repeat(played.states, 1 + step % 3, axis=0)
        assert (legal_counts(HEX, rows) == len(played.legal().moves)).all()
        played.play_randomly(seed=2, steps=1)


def test_arrays_are_not_kept_alive(kernels: None) -> None:
    rows = Games.new(HEX, 2).states.copy()
    legal_counts(HEX, rows)
    watched = weakref.ref(rows)
    del rows
    gc.collect()
    assert watched() is None


def test_launches_from_several_threads_do_not_mix(kernels: None) -> None:
    def play(seed: int) -> bytes:
        games = Games.new(HEX, 1 + seed % 2)
        for step in range(60):
            legal = games.legal()
            picks = [legal.of(game)[step % len(legal.of(game))] for game in range(len(games))]
            games.apply(picks, check=False)
        return games.states.tobytes()

    alone = [play(seed) for seed in range(8)]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(play, range(8))) == alone


def test_what_a_kernel_cannot_take_is_refused(kernels: None) -> None:
    states = Games.new(HEX, 4).states
    legal_counts(HEX, states)
    with pytest.raises(ValueError, match="C-contiguous"):
        legal_counts(HEX, states[::2])
    with pytest.raises(TypeError, match=r"find_legal: argument 1 is int16\[2 dimensions\], got int32\[2 dimensions\]"):
        legal_counts(HEX, states.astype(np.int32))
    with pytest.raises(TypeError, match=r"argument 1 is int16\[2 dimensions\], got int16\[1 dimensions\]"):
        legal_counts(HEX, states[0])
    with pytest.raises(TypeError, match=r"argument 2 is int32\[2 dimensions\], got int16"):
        legal_counts(HEX, states, Lanes(scratch_width(HEX), np.int16))
    with pytest.raises(TypeError, match="find_legal takes 5 arguments, got 1"):
        cpu().launch(find_legal, 4, states)
    assert (legal_counts(HEX, states) == 183).all()
