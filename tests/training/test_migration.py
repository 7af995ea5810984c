"""Models of format 1 play on as they did, and can be trained further."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
import torch.nn.functional as functional
from safetensors.torch import save_file
from torch import Tensor

from engine.config import config
from engine.features import PLANES, SCALARS
from training.arrays import DataError
from training.geometry import Geometry
from training.migration import UNITS, shapes_of_format_1
from training.model import CONFIG, WEIGHTS, load_model, save_model
from training.network import Heads, Network


def _write_format_1(directory: Path) -> dict[str, Tensor]:
    """Write a model of format 1 and return its weights."""
    torch.manual_seed(2)
    weights = {name: torch.randn(shape) * 0.2 for name, shape in shapes_of_format_1(Network("c8b1")).items()}
    save_file(weights, directory / WEIGHTS)
    told = {"architecture": "c8b1", "format": 1, "planes": PLANES, "scalars": SCALARS}
    (directory / CONFIG).write_text(json.dumps(told))
    return weights


@torch.no_grad()
def _value_of_format_1(network: Network, weights: dict[str, Tensor], planes: Tensor, scalars: Tensor) -> Tensor:
    """Compute the winner logits as the old head did, from the inputs of today's."""
    seen: list[Tensor] = []
    hook = network.value_hidden.register_forward_pre_hook(lambda _module, inputs: seen.append(inputs[0]))
    network(planes, scalars, Geometry.of(config("hex8-3")))
    hook.remove()
    inputs = torch.cat((seen[0][:, :8], seen[0][:, 16:]), dim=1)
    hidden = functional.relu(inputs @ weights["value_hidden.weight"].T + weights["value_hidden.bias"])
    return (hidden @ weights["winner.weight"].T + weights["winner.bias"])[:, :3]


def test_a_model_of_format_1_gives_the_answers_that_it_gave(tmp_path: Path) -> None:
    weights = _write_format_1(tmp_path)
    network = load_model(tmp_path).eval()
    planes, scalars = torch.rand(5, PLANES, 9, 9), torch.rand(5, SCALARS)
    heads: Heads = network(planes, scalars, Geometry.of(config("hex8-3")))
    wanted = _value_of_format_1(network, weights, planes, scalars)
    torch.testing.assert_close(heads.winner, wanted, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(network.policy_roles.weight, weights["policy_roles.weight"])


def test_a_migrated_model_is_the_same_every_time_and_its_new_units_can_learn(tmp_path: Path) -> None:
    _write_format_1(tmp_path)
    network, again = load_model(tmp_path), load_model(tmp_path)
    assert save_model(tmp_path / "a", network).digests == save_model(tmp_path / "b", again).digests
    heads: Heads = network(torch.rand(5, PLANES, 9, 9), torch.rand(5, SCALARS), Geometry.of(config("hex8-2")))
    heads.winner.square().sum().backward()  # type: ignore[no-untyped-call]
    assert network.winner.weight.grad is not None
    assert bool((network.winner.weight.grad[:2, UNITS:] != 0).any())


def test_weights_of_another_format_than_the_configuration_says_are_refused(tmp_path: Path) -> None:
    _write_format_1(tmp_path)
    save_file(Network("c8b1").state_dict(), tmp_path / WEIGHTS)
    with pytest.raises(DataError, match=r"'value_second\.bias' is missing or not part of c8b1"):
        load_model(tmp_path)
