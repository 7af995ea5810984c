"""The first network: the best of those trained on random games, or one of another configuration, as it is."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from engine.config import config
from tests.training.conftest import MODEL, QUICK, SEED
from training.experience import Experience
from training.first import best_of, train_first
from training.network import Network
from training.progress import ignore_progress
from training.replay import load_shard
from training.selfplay import play_shard
from training.settings import TrainSettings
from training.shard import write_shard
from training.trainer import Trained

HEX = config("hex8-2")
SETTINGS = TrainSettings(architecture="c4b1", steps=1, first_steps=30, first_networks=1, batch=64)


def _spoil(network: Network) -> Network:
    """Return a network of this architecture that plays badly."""
    torch.manual_seed(3)
    bad = Network(network.architecture)
    with torch.no_grad():
        for parameter in bad.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    return bad.eval()


@pytest.fixture(scope="module")
def experience(tmp_path_factory: pytest.TempPathFactory) -> Experience:
    shard = play_shard(HEX, None, MODEL, SEED, 120, QUICK)
    path = write_shard(tmp_path_factory.mktemp("shards"), shard).path
    return Experience(HEX, [load_shard(path, HEX, ignore_progress)])


@pytest.fixture(scope="module")
def good(experience: Experience) -> Trained:
    return train_first(experience, SEED, SETTINGS).trained


def test_the_best_of_several_first_networks_is_kept(experience: Experience, good: Trained) -> None:
    assert good.state is not None
    assert good.state.steps == 30
    bad = _spoil(good.network)
    assert best_of(HEX, [bad, good.network, bad], SEED, blocks=3) == 1


def test_a_sibling_that_plays_worse_is_not_taken(experience: Experience, good: Trained) -> None:
    found = train_first(experience, SEED, SETTINGS, sibling=_spoil(good.network))
    assert not found.is_sibling
    assert found.trained.state is not None
    for one, other in zip(good.network.parameters(), found.trained.network.parameters(), strict=True):
        np.testing.assert_array_equal(one.detach().numpy(), other.detach().numpy())


def test_a_sibling_that_plays_better_is_taken_as_it_is(experience: Experience, good: Trained) -> None:
    found = train_first(experience, SEED, replace(SETTINGS, first_steps=1), sibling=good.network)
    assert found.is_sibling
    assert found.trained.network is good.network
    assert (found.trained.state, found.trained.losses) == (None, {})
