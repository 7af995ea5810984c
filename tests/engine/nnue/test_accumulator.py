"""Accumulators: kept up to date they equal those computed anew, and no position makes a sum overflow."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from engine.backend.dialect import PLAIN
from engine.boards import board
from engine.config import CONFIGS, Config, config
from engine.games import Games
from engine.nnue import kernels as nnue_kernels
from engine.nnue.network import Nnue
from engine.nnue.rating import Ratings, list_features, rate_positions
from engine.rules import tables
from tests.engine.nnue.networks import random_lines, random_nnue


def rate_lines(nnue: Nnue, positions: Games, offsets: NDArray[np.int32]) -> Ratings:
    """Rate positions along lines; the sums are those of each line's last one."""
    players = positions.config.players
    sums = np.empty((len(offsets) - 1, players * nnue.width), np.int16)
    logits = np.empty((len(positions), players), np.float32)
    arguments = (tables(positions.config), positions.states, offsets, *nnue.arrays, sums, logits)
    positions.executor.launch(nnue_kernels.rate_games, len(offsets) - 1, *arguments)
    return Ratings(sums, logits)


def check_lines(nnue: Nnue, positions: Games, offsets: NDArray[np.int32]) -> None:
    """Check that all along the lines both ways give the same bits."""
    anew, kept = rate_positions(nnue, positions), rate_lines(nnue, positions, offsets)
    assert (anew.logits == kept.logits).all()
    assert (anew.sums[offsets[1:] - 1] == kept.sums).all()


def test_along_play_the_sums_equal_those_computed_anew(any_config: Config) -> None:
    few = 2 if any_config.rings > 18 else 8
    check_lines(random_nnue(any_config.board), *random_lines(any_config, few, seed=3))


@settings(max_examples=20, deadline=None)
@given(
    name=st.sampled_from([name for name in CONFIGS if name.startswith(("hex8", "square8"))]), seed=st.integers(0, 2**32)
)
def test_any_seed_of_play_and_weights(name: str, seed: int) -> None:
    made = config(name)
    check_lines(random_nnue(made.board, width=16, seed=seed), *random_lines(made, 2, seed))


def test_any_position_can_follow_any_other(kernels: None) -> None:
    """An update may bridge many moves, such as back in a search."""
    positions, _ = random_lines(config("square8-3"), 3, seed=4)
    mixed = positions.take(np.random.default_rng(1).permutation(len(positions)))
    check_lines(random_nnue("square8"), mixed, np.array([0, len(mixed)], np.int32))


def test_sums_are_those_of_the_features(any_config: Config) -> None:
    """Also for weights at the limit of their range, in 64 bits as in 16."""
    nnue = random_nnue(any_config.board)
    games = Games.new(any_config, 5)
    for _ in range(4):
        games.play_randomly(seed=6, steps=29)
        wide = nnue.weights.astype(np.int64)[list_features(games)].sum(axis=2) + nnue.biases
        assert (rate_positions(nnue, games).sums.reshape(wide.shape) == wide).all()


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("name", ["hex8-4", "hexagonal-2"])
def test_the_largest_weights_do_not_overflow(name: str, sign: int, kernels: None) -> None:
    made = config(name)
    most = 32767 // (len(board(made.board).cells) + 34)
    nnue = random_nnue(made.board)
    extreme = np.full_like(nnue.weights, sign * most)
    extreme[0] = 0
    full = Nnue(nnue.board, nnue.top, extreme, np.full_like(nnue.biases, sign * most), nnue.layers)
    positions, offsets = random_lines(made, 1, seed=2)
    check_lines(full, positions, offsets)
    wide = extreme.astype(np.int64)[list_features(positions)].sum(axis=2) + full.biases
    assert (rate_positions(full, positions).sums.reshape(wide.shape) == wide).all()


@pytest.mark.parametrize("name", ["hex8-2", "square8-4"])
def test_plain_python_gives_the_same_bits(name: str, kernels: None) -> None:
    """Plain Python also refuses numbers that leave int16."""
    positions, _ = random_lines(config(name), 1, seed=8)
    some = positions.take(np.arange(0, len(positions), 11))
    plain = Games(some.config, some.states, PLAIN)
    nnue = random_nnue(some.config.board, width=16)
    compiled, slow = rate_positions(nnue, some), rate_positions(nnue, plain)
    assert (compiled.sums == slow.sums).all()
    assert (compiled.logits == slow.logits).all()
    line = np.array([0, len(some)], np.int32)
    assert (rate_lines(nnue, plain, line).logits == compiled.logits).all()


def test_the_layers_are_those_of_the_formula(kernels: None) -> None:
    """Sums, cut; a layer with a rectifier; a layer. In float64, the kernel is off by no more than its rounding."""
    games = Games.new("hex8-2", 50)
    games.play_randomly(seed=1, steps=60)
    for width in (16, 64, 128):
        nnue = random_nnue("hex8", width)
        ratings = rate_positions(nnue, games)
        layers = nnue.layers.astype(np.float64)
        cut = np.clip(ratings.sums.reshape(50, 2, width), 0, nnue.top)
        hidden = np.maximum(cut @ layers[:width] + layers[width], 0)
        expected = hidden @ layers[width + 1] + layers[width + 2, 0]
        assert np.abs(expected).max() > 0.5
        np.testing.assert_allclose(ratings.logits, expected, atol=1e-4)
        powers = np.exp(expected)
        np.testing.assert_allclose(ratings.chances, powers / powers.sum(axis=1, keepdims=True), atol=1e-4)


def rotated(games: Games) -> Games:
    """Return the same positions with every player's number one higher, the last one's 1."""
    config_, players = games.config, games.config.players
    states = games.states.copy()
    cells = len(board(config_.board).cells)
    content = states[:, 40 : 40 + cells]
    owner = content & 7
    content += np.where(owner == 0, 0, owner % players + 1 - owner).astype(np.int16)
    for field in (0, 11):  # the player to act, and the owner of the streak
        states[:, field] = np.where(states[:, field] > 0, states[:, field] % players + 1, 0)
    for count in range(6):
        first = 16 + 4 * count
        states[:, first : first + players] = np.roll(states[:, first : first + players], 1, axis=1)
    return Games(config_, states)


@pytest.mark.parametrize("name", ["hex8-2", "hex8-3", "square8-4"])
def test_a_rotation_of_the_seats_rotates_the_logits(name: str, kernels: None) -> None:
    positions, _ = random_lines(config(name), 3, seed=9)
    nnue = random_nnue(positions.config.board)
    logits = rate_positions(nnue, positions).logits
    assert (rate_positions(nnue, rotated(positions)).logits == np.roll(logits, 1, axis=1)).all()
    assert len(np.unique(logits)) > len(logits)
