"""Networks in a search on a device: with our kernels it is the host's search to the bit, with torch nearly."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from engine.backend.cuda import Device, cuda_devices
from engine.config import Config, config
from engine.games import Games
from engine.search import SearchResult, gumbel_search
from engine.search.device_search import DeviceSearch
from engine.search.device_trees import DeviceEvaluate
from training.device_evaluate import KernelEvaluator, TorchEvaluator, device_evaluator
from training.evaluate import NetworkEvaluator
from training.network import Network

SEEDS = np.arange(40, 140, dtype=np.uint64)


@pytest.fixture(scope="module")
def network() -> Network:
    """A network none of whose weights is zero, and that likes some moves much better than others."""
    torch.manual_seed(0)
    network = Network("c8b2")
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    network.value_scale = 0.2
    return network.eval()


@pytest.fixture(scope="module", params=["cpu", "cuda"])
def device(request: pytest.FixtureRequest) -> Device:
    if request.param == "cuda" and not cuda_devices():
        pytest.skip("no CUDA device: networks of a GPU were not compared")
    return Device(request.param)


def positions(made: Config, count: int) -> Games:
    """Positions of random games in which there is a choice."""
    games = Games.new(made, 4 * count)
    games.play_randomly(3, 45)
    return games.take(np.flatnonzero(np.diff(games.legal().offsets) > 1)[:count])


def search(games: Games, evaluate: DeviceEvaluate, device: Device) -> SearchResult:
    count = len(games)
    made = DeviceSearch(games.config, evaluate, device, count=count + 3, simulations=16, considered=6)
    made.run(device.upload(games.states), np.arange(count), SEEDS[:count])
    return made.result()


def on_host(games: Games, network: Network) -> SearchResult:
    return gumbel_search(games, NetworkEvaluator(network), simulations=16, considered=6, seeds=SEEDS[: len(games)])


@pytest.mark.parametrize("name", ["hex8-2", "square8-3", "hexagonal-4"])
def test_our_kernels_find_the_same_to_the_bit(name: str, network: Network) -> None:
    games = positions(config(name), 6)
    found, wanted = search(games, device_evaluator(network, Device("cpu")), Device("cpu")), on_host(games, network)
    for field in ("actions", "offsets", "moves", "visits", "policy", "values"):
        assert getattr(found, field).tobytes() == getattr(wanted, field).tobytes(), field


@pytest.mark.parametrize("name", ["hex8-2", "square8-4"])
def test_torch_finds_nearly_the_same(name: str, network: Network, device: Device) -> None:
    """With equal numbers but for rounding, a choice between two actions that are nearly equal may differ."""
    games = positions(config(name), 40)
    found, wanted = search(games, TorchEvaluator(network, torch.float32), device), on_host(games, network)
    assert (found.moves == wanted.moves).all()
    same = found.actions == wanted.actions
    assert same.mean() >= 0.9
    for game in np.flatnonzero(same):
        run = slice(wanted.offsets[game], wanted.offsets[game + 1])
        if (found.visits[run] == wanted.visits[run]).all():
            np.testing.assert_allclose(found.policy[run], wanted.policy[run], atol=2e-3)
            np.testing.assert_allclose(found.values[game], wanted.values[game], atol=2e-3)


def test_torch_with_bfloat16_is_close(network: Network, device: Device) -> None:
    """One simulation shows logits and values: eight bits of mantissa are left of each."""
    games = positions(config("hex8-2"), 60)
    found, wanted = search(games, TorchEvaluator(network, torch.bfloat16), device), on_host(games, network)
    assert (found.moves == wanted.moves).all()
    assert np.abs(found.values - wanted.values).mean() < 0.05
    assert (found.actions == wanted.actions).mean() > 0.6


def test_a_simulation_waits_for_nothing(network: Network, device: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    evaluators: list[DeviceEvaluate] = [TorchEvaluator(network)]
    if device.name == "cpu":
        evaluators.append(KernelEvaluator(network))
    games = positions(config("hex8-2"), 5)
    for evaluate in evaluators:
        made = DeviceSearch(games.config, evaluate, device, count=5, simulations=16, considered=6)
        states = device.upload(games.states)
        made.run(states, np.arange(5), SEEDS[:5])  # loads the kernels and records
        made._open(states, 1.0)

        def host(*_: object) -> None:
            raise AssertionError("the host was asked for something within a simulation")

        with monkeypatch.context() as patched:
            for name in ("wait", "upload", "download", "write", "share"):
                patched.setattr(Device, name, host)
            patched.setattr(type(states), "numpy", host)
            for _ in range(3):
                made._simulate()
