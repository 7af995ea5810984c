"""What several tests of training share: a small shard of random games, and one of searched games."""

from __future__ import annotations

import pytest
import torch

from engine.config import config
from training.evaluate import NetworkEvaluator
from training.network import Network
from training.selfplay import play_shard
from training.settings import SelfPlaySettings
from training.shard import Shard

torch.set_num_threads(1)

MODEL = b"m" * 32
SEED = b"s" * 32
QUICK = SelfPlaySettings(simulations=3, considered=3, opening_plies=6, concurrency=5)


@pytest.fixture(scope="session")
def random_shard() -> Shard:
    return play_shard(config("hex8-2"), None, MODEL, SEED, 12, QUICK)


@pytest.fixture(scope="session")
def small_network() -> Network:
    torch.manual_seed(1)
    return Network("c4b1").eval()


@pytest.fixture(scope="session")
def searched_shard(small_network: Network) -> Shard:
    return play_shard(config("hex8-2"), NetworkEvaluator(small_network), MODEL, SEED, 7, QUICK)
