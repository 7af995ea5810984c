"""Gradients by torch: in float32 those of the kernels, in bfloat16 near them, and on the CPU the same bytes each time.

What needs a GPU is skipped without one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from engine.config import config
from tests.training.conftest import MODEL, QUICK, SEED
from tests.training.test_checkpoints import enough_after, outcome
from tests.training.verified import experience_of
from training.batches import Examples, make_examples
from training.compute import Compute, compute_of
from training.gradients import Gradients, gradients_of
from training.jobs import run_job
from training.losses import Weights
from training.model import save_model
from training.network import Network
from training.progress import ignore_progress
from training.selfplay import play_shard
from training.settings import TrainSettings
from training.shard import Shard, write_shard
from training.team import split
from training.torch_gradients import TorchGradients
from training.trainer import Start, Trained, train

WEIGHTS = Weights(policy=0.9, winner=1.1, ownership=0.3, margin=0.5)
SETTINGS = TrainSettings(architecture="c4b1", steps=16, batch=16, positions_per_game=8)
HALF = replace(SETTINGS, precision="bfloat16")
LOSS_TOLERANCE = 0.02
"""Of a training in bfloat16 against one in float32, of each loss in relation to itself."""


@pytest.fixture(params=["cpu", "cuda"])
def device(request: pytest.FixtureRequest) -> str:
    if request.param == "cuda" and not torch.cuda.is_available():
        pytest.skip("torch has no GPU: gradients of a GPU were not compared")
    return str(request.param)


def network_of(architecture: str) -> Network:
    """A network none of whose weights is zero."""
    torch.manual_seed(0)
    network = Network(architecture)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return network


def examples_of(name: str, count: int) -> Examples:
    experience = experience_of(play_shard(config(name), None, MODEL, SEED, 6, QUICK))
    samples = experience.draw(np.random.default_rng(4), np.arange(len(experience)), 10)
    return make_examples(experience, samples, 0, count)


def distance(one: torch.Tensor, other: torch.Tensor) -> float:
    return float(torch.linalg.vector_norm(one - other) / torch.linalg.vector_norm(other))


@pytest.mark.parametrize("name", ["hex8-2", "square8-4"])
def test_in_float32_losses_and_gradients_are_those_of_the_kernels(name: str, device: str) -> None:
    examples, network = examples_of(name, 24), network_of("c8b2")
    wanted = Gradients(network, config(name))
    wanted_losses = wanted.update(examples, WEIGHTS)
    found = TorchGradients(network, config(name), Compute(device))
    np.testing.assert_allclose(found.update(examples, WEIGHTS), wanted_losses, rtol=1e-4)
    assert distance(found.flat, wanted.flat) < 1e-3
    assert next(network.parameters()).grad is not None
    found.clip(0.5)
    assert torch.linalg.vector_norm(found.flat) <= 0.5001


def test_in_bfloat16_they_are_near_and_the_weights_stay_in_float32(device: str) -> None:
    examples, network = examples_of("hex8-2", 32), network_of("c8b2")
    wanted = Gradients(network, config("hex8-2"))
    wanted_losses = wanted.update(examples, WEIGHTS)
    found = TorchGradients(network, config("hex8-2"), Compute(device, "bfloat16"))
    np.testing.assert_allclose(found.update(examples, WEIGHTS), wanted_losses, rtol=LOSS_TOLERANCE)
    assert 1e-4 < distance(found.flat, wanted.flat) < 0.05, "not in bfloat16, or far off"
    assert {tensor.dtype for tensor in found._moved.state_dict().values()} == {torch.float32}


def test_the_parts_of_a_batch_add_up_and_nothing_is_a_part_too(device: str) -> None:
    examples, network = examples_of("hex8-2", 2), network_of("c4b1")
    compute = Compute(device, "bfloat16" if device == "cuda" else "float32")
    whole, part = (TorchGradients(network, config("hex8-2"), compute) for _ in range(2))
    losses = whole.update(examples, WEIGHTS)
    summed, told = torch.zeros_like(whole.flat), np.zeros(4)
    for each, means in split(examples, examples.means(), 3):
        told += part.update(each, WEIGHTS, means)
        summed += part.flat
    np.testing.assert_allclose(told, losses, rtol=1e-5)
    assert distance(summed, whole.flat) < (0.02 if device == "cuda" else 1e-4)


def weights(trained: Trained) -> list[bytes]:
    return [parameter.detach().numpy().tobytes() for parameter in trained.network.parameters()]


def test_a_training_in_bfloat16_loses_little_and_gives_the_same_bytes_for_the_same_seed(searched_shard: Shard) -> None:
    own = experience_of(searched_shard)
    start = Start(network_of("c4b1"))
    usual, half, again = (train(own, start, SEED, settings) for settings in (SETTINGS, HALF, HALF))
    assert weights(half) == weights(again) != weights(usual)
    for name, loss in usual.losses.items():
        assert half.losses[name] == pytest.approx(loss, rel=LOSS_TOLERANCE)
    assert weights(half) != [parameter.detach().numpy().tobytes() for parameter in start.network.parameters()]


@pytest.mark.slow
def test_a_team_in_bfloat16_is_one_process_but_for_rounding(searched_shard: Shard) -> None:
    own, start = experience_of(searched_shard), Start(network_of("c4b1"))
    alone, two, again = (train(own, start, SEED, replace(HALF, processes=count)) for count in (1, 2, 2))
    assert weights(two) == weights(again)
    for name, loss in alone.losses.items():
        assert two.losses[name] == pytest.approx(loss, rel=LOSS_TOLERANCE)


def job(folder: Path, shard: Shard, network: Network, **settings: Any) -> Mapping[str, Any]:
    save_model(folder / "parent", network)
    brief = {"steps": 6, "batch": 16, "measured_blocks": 0, **settings}
    return {
        "job": "train",
        "config": "hex8-2",
        "parent": str(folder / "parent"),
        "sibling": None,
        "state": None,
        "seed": SEED,
        "shards": [str(write_shard(folder, shard).path)],
        "settings": brief,
        "out": str(folder / "out"),
    }


def test_another_precision_goes_on_with_a_checkpoint_and_a_stop_changes_no_byte(
    searched_shard: Shard, small_network: Network, tmp_path: Path
) -> None:
    asked = {**job(tmp_path, searched_shard, small_network, precision="bfloat16")}
    whole = outcome(run_job(asked, ignore_progress))
    asked["checkpoints"] = str(tmp_path / "checkpoints")
    assert run_job(asked, ignore_progress, enough_after(4))["stopped"] == {"steps": 3, "wanted": 6}
    done = run_job(asked, ignore_progress)
    assert (done["resumed"], done["device"]) == (3, "cpu")
    assert outcome(done) == whole
    asked["checkpoints"] = str(tmp_path / "others")
    run_job(asked, ignore_progress, enough_after(4))
    plain = run_job({**asked, "settings": {**asked["settings"], "precision": "float32"}}, ignore_progress)
    assert (plain["resumed"], plain["dropped"]) == (3, [])


def test_without_a_gpu_a_job_for_one_is_done_on_the_cpu_as_it_always_was(
    searched_shard: Shard, small_network: Network, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    usual = run_job(job(tmp_path, searched_shard, small_network), ignore_progress)
    wished = {"device": "cuda", "precision": "bfloat16", "gpus": "GPU-1,GPU-2", "processes": 2}
    done = run_job(job(tmp_path, searched_shard, small_network, **wished), ignore_progress)
    assert outcome(done) == outcome(usual)
    assert done["device"] == "cpu"
    assert "training on the CPU: torch" in capsys.readouterr().err


def test_what_cannot_be_computed_with_is_refused() -> None:
    assert isinstance(gradients_of(network_of("c4b1"), config("hex8-2"), Compute()), Gradients)
    assert compute_of(TrainSettings(device="cuda", gpus="a,b", processes=2)).gpus == ("a", "b")
    for wrong, why in (
        ({"device": "tpu"}, "'device' of a training is 'tpu', expected one of cpu, cuda"),
        ({"precision": "float8"}, "expected one of float32, bfloat16"),
        ({"gpus": "a,b", "processes": 3}, "2 GPUs for 3 processes"),
    ):
        with pytest.raises(ValueError, match=why):
            compute_of(replace(TrainSettings(), **wrong))
