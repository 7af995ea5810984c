"""What a trainer says of its model: numbers that follow from games, and choose the better of two networks."""

from __future__ import annotations

from pathlib import Path

from engine.config import config
from tests.training.conftest import MODEL, QUICK, SEED
from training.experience import Experience
from training.measures import measure_search, measure_value
from training.network import Network
from training.progress import ignore_progress
from training.replay import load_shard
from training.selfplay import play_shard
from training.settings import TrainSettings
from training.shard import write_shard
from training.trainer import train

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
