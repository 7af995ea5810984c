"""What a trainer says of its model: numbers that follow from games, and choose the better of two networks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from engine.config import config
from tests.training.conftest import MODEL, QUICK, SEED
from training.experience import Experience
from training.first import best_of, train_first
from training.measures import measure_search, measure_value
from training.network import Network
from training.progress import ignore_progress
from training.replay import load_shard
from training.selfplay import play_shard
from training.settings import TrainSettings
from training.shard import write_shard
from training.trainer import Trained, train

HEX = config("hex8-2")


def _experience(tmp_path: Path, games: int) -> Experience:
    shard = play_shard(HEX, None, MODEL, SEED, games, QUICK)
    return Experience(HEX, [load_shard(write_shard(tmp_path, shard).path, HEX, ignore_progress)])


def test_the_value_of_a_trained_network_knows_more_of_the_end_than_of_the_beginning(tmp_path: Path) -> None:
    experience = _experience(tmp_path, 640)
    new = measure_value(Network("c8b1").eval(), experience, SEED)
    assert [new[f"value_correlation_{quarter}"] for quarter in (1, 2, 3, 4)] == [0, 0, 0, 0]
    assert new["brier"] == 250_000  # it gives everybody the same chance
    assert new["held_out_games"] == 40
    trained = train(experience, None, SEED, TrainSettings(architecture="c8b1", steps=100, batch=128))
    knows = measure_value(trained.network, experience, SEED)
    assert knows["value_correlation_4"] > 150_000
    assert knows["value_correlation_4"] > abs(knows["value_correlation_1"])
    assert knows["brier"] < 250_000
    assert measure_value(trained.network, experience, SEED) == knows


def test_nothing_is_measured_of_the_value_without_held_out_games(tmp_path: Path) -> None:
    assert measure_value(Network("c4b1").eval(), _experience(tmp_path, 8), SEED) == {}


def test_search_is_measured_by_games_of_the_model_against_itself(small_network: Network) -> None:
    shares = measure_search(small_network, HEX, SEED, blocks=1)
    assert set(shares) == {"policy_vs_search_16", "search_64_vs_16"}
    assert all(0 <= share <= 1_000_000 for share in shares.values())
    assert shares == measure_search(small_network, HEX, SEED, blocks=1)


def test_the_best_of_several_first_networks_is_kept(tmp_path: Path) -> None:
    experience = _experience(tmp_path, 120)
    settings = TrainSettings(architecture="c4b1", steps=1, first_steps=30, first_networks=1, batch=64)
    good = train_first(experience, SEED, settings)
    assert good.state.steps == 30
    torch.manual_seed(3)
    bad = Network("c4b1")
    with torch.no_grad():
        for parameter in bad.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    trained = [Trained(bad.eval(), good.state, {}), good, Trained(bad.eval(), good.state, {})]
    assert best_of(HEX, trained, SEED, blocks=3) == 1
    again = train_first(experience, SEED, settings)
    for one, other in zip(good.network.parameters(), again.network.parameters(), strict=True):
        np.testing.assert_array_equal(one.detach().numpy(), other.detach().numpy())
