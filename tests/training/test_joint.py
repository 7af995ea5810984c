"""Joint trainings: a share of the steps is made on games of other configurations."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from engine.config import config
from tests.training.conftest import MODEL, QUICK, SEED
from tests.training.verified import experience_of
from training.jobs import run_job
from training.model import save_model
from training.network import Network
from training.progress import ignore_progress
from training.selfplay import play_shard
from training.settings import TrainSettings
from training.shard import Shard, write_shard
from training.trainer import Joint, Start, Trained, _turns, train

SETTINGS = TrainSettings(architecture="c4b1", steps=30, batch=16, positions_per_game=4)


@pytest.fixture(scope="module")
def partner_shard() -> Shard:
    return play_shard(config("hex8-3"), None, MODEL, SEED, 8, QUICK)


def weights(trained: Trained) -> list[bytes]:
    return [parameter.detach().numpy().tobytes() for parameter in trained.network.parameters()]


def test_steps_are_drawn_by_share_in_equal_parts_and_the_last_is_the_own() -> None:
    turns = _turns(SEED, 4000, 0.25, 2)
    assert len(turns) == 4000
    assert turns[-1] == 0
    assert 2900 < turns.count(0) < 3100
    assert abs(turns.count(1) - turns.count(2)) < 100
    assert _turns(SEED, 5, 0.25, 0) == [0] * 5
    assert 25 < _turns(SEED, 300, 0.25, 2).count(1) < 51  # docs/steering.md: about 38


def test_a_joint_training_is_repeatable_learns_of_both_and_tells_the_own_losses(
    random_shard: Shard, partner_shard: Shard, small_network: Network
) -> None:
    own, other = experience_of(random_shard), experience_of(partner_shard)
    start, joint = Start(small_network), Joint([other], 0.5)
    one, again = (train(own, start, SEED, SETTINGS, joint=joint) for _ in range(2))
    alone = train(own, start, SEED, SETTINGS)
    assert weights(one) == weights(again)
    assert weights(one) != weights(alone)
    assert one.losses.keys() == alone.losses.keys()

    def loss(trained: Trained) -> float:
        """The first losses of a training on the partner's games."""
        found = train(other, Start(trained.network), SEED, replace(SETTINGS, steps=1)).losses
        return found["policy"] + found["winner"]

    assert loss(one) < loss(alone)


def test_a_job_tells_what_it_used_of_each_partner_and_how_the_model_plays_there(
    random_shard: Shard, partner_shard: Shard, small_network: Network, tmp_path: Path
) -> None:
    save_model(tmp_path / "parent", small_network)
    good = str(write_shard(tmp_path, partner_shard).path)
    partner = {
        "config": "hex8-3",
        "weights": [900, 800],
        "announced": [None, None],
        "incumbent": str(tmp_path / "parent"),
    }
    job: dict[str, Any] = {
        "job": "train",
        "config": "hex8-2",
        "parent": str(tmp_path / "parent"),
        "sibling": None,
        "state": None,
        "seed": SEED,
        "shards": [str(write_shard(tmp_path, random_shard).path)],
        "settings": {"steps": 4, "batch": 8, "measured_blocks": 0},
        "out": str(tmp_path / "model"),
        "joint_share": 500,
        "partners": [
            {**partner, "shards": [str(tmp_path / "missing"), good]},
            {**partner, "shards": [str(tmp_path / "missing"), str(tmp_path / "missing")]},
        ],
    }
    done = run_job(job, ignore_progress)
    first, second = done["partners"]
    assert first["used"] == [1]
    assert 0 <= first["share"] <= 3000
    assert second == {"used": [], "share": None}
    assert done["used"] == [0]
    assert len(done["skipped"]) == 3
