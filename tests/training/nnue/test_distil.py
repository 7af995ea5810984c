"""Distillation: reproducible, true to its floats, and it learns what the games show."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from engine.boards import BOARDS
from engine.config import config
from engine.games import Games
from engine.nnue.network import Nnue, largest_sum, save_nnue
from engine.nnue.rating import list_features, rate_positions
from engine.players import NnuePlayer, UniformPlayer
from tests.training.conftest import MODEL, SEED
from tests.training.verified import experience_of
from training.arena import meet
from training.evaluate import NetworkEvaluator
from training.network import Network
from training.nnue.distil import DistilSettings, distil
from training.nnue.foresight import foresee, measure
from training.nnue.games import play_games
from training.nnue.model import LIMIT, NnueModel
from training.selfplay import play_shard
from training.settings import SelfPlaySettings
from training.shard import Shard

QUICK = DistilSettings(width=16, steps=6, batch=64, positions_per_game=8)


def digest(nnue: Nnue, directory: Path) -> str:
    save_nnue(directory, nnue)
    return hashlib.sha256((directory / "weights.safetensors").read_bytes()).hexdigest()


def test_equal_input_gives_equal_networks(
    random_shard: Shard, searched_shard: Shard, small_network: Network, tmp_path: Path
) -> None:
    sources = [experience_of(random_shard, searched_shard)]
    teacher = NetworkEvaluator(small_network)
    digests = [
        digest(distil(sources, seed=SEED, settings=QUICK), tmp_path),
        digest(distil(sources, seed=SEED, settings=QUICK), tmp_path),
        digest(distil(sources, seed=MODEL, settings=QUICK), tmp_path),
        digest(distil(sources, seed=SEED, settings=QUICK, teacher=teacher), tmp_path),
        digest(distil(sources, seed=SEED, settings=QUICK, teacher=teacher), tmp_path),
    ]
    assert digests[0] == digests[1]
    assert digests[3] == digests[4]
    assert len(set(digests)) == 3


def test_the_engine_computes_what_torch_does(kernels: None) -> None:
    torch.manual_seed(3)
    model = NnueModel("hex8", 32)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.1)
    for name in ("hex8-2", "hex8-4"):
        games = Games.new(name, 40)
        games.play_randomly(seed=5, steps=70)
        features = list_features(games)
        expected = model(torch.from_numpy(features)).detach().numpy()
        found = rate_positions(model.to_integers(), games).logits
        assert np.abs(expected).max() > 0.1
        assert np.abs(found - expected).max() < 0.05 * np.abs(expected).max()


@pytest.mark.parametrize("name", BOARDS)
def test_weights_at_their_limit_fit_on_every_board(name: str) -> None:
    model = NnueModel(name, 16)
    with torch.no_grad():
        model.cells.fill_(5.0)
        model.buckets.fill_(-5.0)
        model.players.fill_(5.0)
        model.biases.fill_(5.0)
    assert float(model.table().detach().abs().max()) == LIMIT
    nnue = model.to_integers()  # which checks that no sum overflows
    assert nnue.top >= 64
    assert largest_sum(name, nnue.weights, nnue.biases) > 2**13, "finer steps would fit"


def test_games_of_several_boards_are_refused(random_shard: Shard, kernels: None) -> None:
    other = play_games(config("square8-2"), UniformPlayer(), seed=SEED, games=2)
    with pytest.raises(ValueError, match=r"for one board, but the games are of \['hex8', 'square8'\]"):
        distil([experience_of(random_shard), experience_of(other)], seed=SEED, settings=QUICK)
    with pytest.raises(ValueError, match=r"the games are of \[\]"):
        distil([], seed=SEED, settings=QUICK)


def test_games_without_positions_to_learn_from_are_refused(random_shard: Shard) -> None:
    with pytest.raises(ValueError, match="no position after their openings"):
        distil([experience_of(replace(random_shard, openings=random_shard.lengths))], seed=SEED, settings=QUICK)


def test_games_that_are_held_out_are_not_learned_from(random_shard: Shard, tmp_path: Path) -> None:
    """Whoever wins them; and without such games nothing is measured."""
    told, other = experience_of(random_shard), experience_of(random_shard)
    other.held_out = told.held_out = np.arange(len(told)) % 3 == 0
    other.winners = np.where(other.held_out, 3 - other.winners, other.winners)
    networks = [distil([games], seed=SEED, settings=QUICK) for games in (told, other)]
    assert digest(networks[0], tmp_path) == digest(networks[1], tmp_path)
    found = [foresee(networks[0], games) for games in (told, other)]
    assert found[0] != found[1]
    told.held_out = np.zeros(len(told), np.bool_)
    assert foresee(networks[0], told) is None


def test_it_foretells_outcomes_and_beats_uniform(kernels: None) -> None:
    """Random games for two and three players, seconds of training, one network for both."""
    settings = DistilSettings(width=32, steps=160, batch=256)
    shards = [play_shard(config(name), None, MODEL, SEED, 2000, SelfPlaySettings()) for name in ("hex8-2", "hex8-3")]
    experiences = [experience_of(shard) for shard in shards]
    reports: list[object] = []
    nnue = distil(experiences, seed=SEED, settings=settings, report=reports.append)
    assert reports[-1] == {"steps": 160, "wanted": 160}
    for experience, equal in zip(experiences, (1 / 2, 1 / 3), strict=True):
        found = foresee(nnue, experience)
        assert found is not None
        assert found.log_loss[3] < found.constant[3] - 0.05
        assert found.correlation[3] > 0.3
        result = meet(experience.config, NnuePlayer(nnue), UniformPlayer(), seed=SEED, blocks=16)
        assert result.share > equal + 0.2


def test_measures_are_those_of_the_formulas() -> None:
    chances = np.array([[0.9, 0.1], [0.2, 0.8], [0.5, 0.5], [0.3, 0.7]] * 4, np.float32)
    won = np.array([[1, 0], [0, 1], [1, 0], [1, 0]] * 4, np.float32)
    found = measure(chances, won, np.repeat(np.arange(4), 4))
    expected = -np.log(np.array([0.9, 0.8, 0.5, 0.3])).mean()
    assert found.positions == (4, 4, 4, 4)
    np.testing.assert_allclose(found.log_loss, expected, rtol=1e-6)
    np.testing.assert_allclose(found.constant, -(0.75 * np.log(0.75) + 0.25 * np.log(0.25)), rtol=1e-6)
    np.testing.assert_allclose(found.correlation, np.corrcoef(chances[:4].ravel(), won[:4].ravel())[0, 1], rtol=1e-6)
