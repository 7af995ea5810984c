"""The gradients of the kernels: those that torch derives from the losses, and the same bytes every time."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from engine.backend.cpu import Cpu
from engine.backend.dialect import PLAIN, Executor
from engine.config import CONFIGS, Config, config
from engine.search import evaluate_uniformly
from tests.training.conftest import MODEL, QUICK, SEED
from tests.training.verified import experience_of
from training.batches import Examples, make_batch, make_examples
from training.experience import Experience, Samples
from training.geometry import Geometry
from training.gradients import Gradients
from training.losses import Batch, Weights, losses, weigh
from training.network import Network
from training.selfplay import play_shard

WEIGHTS = Weights(policy=0.9, winner=1.1, ownership=0.3, margin=0.5)
ONE = np.ones(1, np.float32)


def _samples(name: str, games: int, per_game: int) -> tuple[Experience, Samples]:
    """Return positions of random games and, on small boards, of a searched one."""
    settings = config(name)
    shards = [play_shard(settings, None, MODEL, SEED, games, QUICK)]
    if settings.board in ("hex8", "square8"):
        shards.append(play_shard(settings, evaluate_uniformly, MODEL, SEED, 1, QUICK))
    experience = experience_of(*shards)
    return experience, experience.draw(np.random.default_rng(4), np.arange(len(experience)), per_game)


def _network(architecture: str) -> Network:
    """Return a network none of whose weights is zero."""
    torch.manual_seed(0)
    network = Network(architecture)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return network


def _found(
    network: Network, examples: Examples, executor: Executor | None = None
) -> tuple[NDArray[np.float64], list[NDArray[np.float32]]]:
    """Return the losses and the gradient of each parameter by kernels."""
    gradients = Gradients(network, examples.states.config, executor)
    return gradients.update(examples, WEIGHTS), _copies(network)


def _wanted(network: Network, config: Config, batch: Batch) -> tuple[list[float], list[NDArray[np.float32]]]:
    """Return the losses and the gradient of each parameter by torch."""
    network.zero_grad()
    parts = losses(network, Geometry.of(config), batch)
    weigh(parts, WEIGHTS).backward()  # type: ignore[no-untyped-call]
    return [loss.item() for loss in parts.values()], _copies(network)


def _copies(network: Network) -> list[NDArray[np.float32]]:
    grads = [parameter.grad for parameter in network.parameters()]
    return [grad.numpy().copy() for grad in grads if grad is not None]


def _are_near(found: list[NDArray[np.float32]], wanted: list[NDArray[np.float32]]) -> bool:
    """Return whether each parameter's gradient is off by 1e-5, or by the rounding of large terms that cancel."""
    rounding = 2e-6 * np.sqrt(sum(np.square(grad).sum() for grad in wanted))
    pairs = zip(found, wanted, strict=True)
    return all(np.linalg.norm(one - other) <= 1e-5 * np.linalg.norm(other) + rounding for one, other in pairs)


@pytest.mark.parametrize("name", sorted(CONFIGS))
@pytest.mark.parametrize("architecture", ["c4b1", "c24b2"])
def test_gradients_are_those_of_torch(name: str, architecture: str) -> None:
    """Each position alone: where a number is within rounding of 0, both may be on different sides of its corner."""
    experience, samples = _samples(name, 3, 3)
    network, near, reached = _network(architecture), [], []
    for i in range(len(samples.games)):
        examples, batch = make_examples(experience, samples, i, 1), make_batch(experience, samples, i, 1)
        examples, batch = replace(examples, policy_weight=ONE), replace(batch, policy_weight=torch.from_numpy(ONE))
        found_losses, found = _found(network, examples)
        wanted_losses, wanted = _wanted(network, experience.config, batch)
        np.testing.assert_allclose(found_losses, wanted_losses, rtol=1e-5)
        near.append(_are_near(found, wanted))
        reached.append([bool(np.any(grad)) for grad in wanted])
    assert np.mean(near) > 0.7, near
    assert np.any(reached, axis=0).all()


def test_the_gradient_of_a_batch_is_the_sum_of_its_positions() -> None:
    experience, samples = _samples("hex8-2", 6, 10)
    network, count = _network("c16b2"), len(samples.games)
    examples = make_examples(experience, samples, 0, count)
    found_losses, found = _found(network, examples)
    shares = examples.means() * np.array([WEIGHTS.policy, WEIGHTS.winner, WEIGHTS.ownership, WEIGHTS.margin])
    summed = [np.zeros(grad.shape) for grad in found]
    for i in range(count):
        one = replace(make_examples(experience, samples, i, 1), policy_weight=ONE)
        gradients = Gradients(network, experience.config)
        gradients.update(one, Weights(*(shares[i] / one.means()[0])))
        for total, grad in zip(summed, _copies(network), strict=True):
            total += grad
    assert _are_near(found, [total.astype(np.float32) for total in summed])
    np.testing.assert_allclose(found_losses, _wanted(network, experience.config, _batch(experience, samples))[0], 1e-5)


def test_a_new_network_too_has_the_losses_and_gradients_of_torch() -> None:
    """Its second convolutions and its heads are zero, so that many numbers are equal and many gradients are 0."""
    experience, samples = _samples("hex8-2", 6, 10)
    torch.manual_seed(1)
    network = Network("c16b2")
    found_losses, found = _found(network, make_examples(experience, samples, 0, len(samples.games)))
    wanted_losses, wanted = _wanted(network, experience.config, _batch(experience, samples))
    np.testing.assert_allclose(found_losses, wanted_losses, rtol=1e-5)
    for one, other in zip(found, wanted, strict=True):
        assert np.linalg.norm(one - other) <= 1e-3 * np.linalg.norm(other)
        assert np.any(one) == np.any(other)


def _batch(experience: Experience, samples: Samples) -> Batch:
    return make_batch(experience, samples, 0, len(samples.games))


def test_a_batch_without_a_target_for_the_policy_teaches_the_rest() -> None:
    experience, samples = _samples("hex8-2", 2, 4)
    network = _network("c8b1")
    examples = make_examples(experience, samples, 0, 5)
    found_losses, found = _found(network, replace(examples, policy_weight=np.zeros(5, np.float32)))
    assert found_losses[0] == 0.0
    assert (found_losses[1:] > 0.0).all()
    for (name, _), grad in zip(network.named_parameters(), found, strict=True):
        assert np.any(grad) != name.startswith("policy"), name


def test_margins_far_from_their_targets_have_gradients_of_one_size() -> None:
    experience, samples = _samples("square8-3", 2, 4)
    network = _network("c8b1")
    examples = make_examples(experience, samples, 0, 6)
    sides = [replace(examples, margin=np.full_like(examples.margin, far)) for far in (50.0, -50.0)]
    grads = [_found(network, side)[1] for side in sides]
    names = [name for name, _ in network.named_parameters()]
    above, below = (each[names.index("margin.bias")][: examples.margin.shape[1]] for each in grads)
    np.testing.assert_allclose(above, -WEIGHTS.margin / examples.margin.shape[1], rtol=1e-5)
    np.testing.assert_allclose(below, WEIGHTS.margin / examples.margin.shape[1], rtol=1e-5)


@pytest.mark.parametrize("name", ["hex8-2", "square8-3"])
def test_plain_python_agrees_with_the_compiled_kernels(name: str) -> None:
    experience, samples = _samples(name, 2, 2)
    network = _network("c20b1")
    examples = make_examples(experience, samples, 0, len(samples.games))
    compiled_losses, compiled = _found(network, examples)
    plain_losses, plain = _found(network, examples, PLAIN)
    np.testing.assert_allclose(plain_losses, compiled_losses, rtol=1e-5)
    assert _are_near(plain, compiled)


def test_equal_weights_and_examples_give_equal_bytes() -> None:
    experience, samples = _samples("hex8-2", 4, 20)
    examples = make_examples(experience, samples, 0, len(samples.games))
    results = []
    for others in (1, 7):
        network = _network("c16b2")
        gradients = Gradients(network, experience.config)
        gradients.update(make_examples(experience, samples, 0, others), WEIGHTS)  # what ran before does not matter
        found = gradients.update(examples, WEIGHTS)
        results.append([found.tobytes(), *(grad.tobytes() for grad in _copies(network))])
    assert results[0] == results[1]


def test_gradients_are_clipped_as_torch_does() -> None:
    experience, samples = _samples("hex8-2", 2, 4)
    examples = make_examples(experience, samples, 0, len(samples.games))
    for norm in (0.01, 1000.0):
        network, other = _network("c8b1"), _network("c8b1")
        gradients = Gradients(network, experience.config)
        gradients.update(examples, WEIGHTS)
        Gradients(other, experience.config).update(examples, WEIGHTS)
        before = _copies(network)
        gradients.clip(norm)
        torch.nn.utils.clip_grad_norm_(other.parameters(), norm)
        for one, wanted, unclipped in zip(_copies(network), _copies(other), before, strict=True):
            np.testing.assert_allclose(one, wanted, rtol=1e-5)
            assert np.array_equal(one, unclipped) == (norm > 1.0)


def test_executors_of_several_threads_are_refused() -> None:
    with pytest.raises(ValueError, match="one thread, not of 2"):
        Gradients(Network("c16b2"), config("hex8-2"), Cpu(threads=2))
