"""Programs for inference: they compute what the network computes, and each position alone."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from engine.backend.dialect import PLAIN
from engine.config import CONFIGS, config
from engine.games import Games
from engine.moves import Kind, pack
from engine.search import EvalBatch, Evaluation
from training.evaluate import NetworkEvaluator
from training.geometry import Geometry
from training.network import Network, move_logits, seat_values


def _positions(name: str, count: int) -> EvalBatch:
    """Return positions of random games in which there is a choice."""
    games, seen = Games.new(config(name), 8), []
    while not games.over().all():
        games.play_randomly(seed=3, steps=7)
        seen.append(games.states[~games.over()])
    states = np.concatenate(seen)
    games = Games(config(name), states[np.random.default_rng(1).permutation(len(states))])
    games = games.take(np.flatnonzero(np.diff(games.legal().offsets) > 1)[:count])
    legal = games.legal()
    return EvalBatch(games, legal.offsets, legal.moves)


def _random_network(architecture: str) -> Network:
    """Return a network none of whose weights is zero."""
    torch.manual_seed(0)
    network = Network(architecture)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return network.eval()


@torch.inference_mode()
def _trained_forward(network: Network, batch: EvalBatch) -> Evaluation:
    """Evaluate by the forward of training."""
    geometry = Geometry.of(batch.config)
    heads = network(torch.from_numpy(batch.planes), torch.from_numpy(batch.scalars), geometry)
    rows = torch.from_numpy(np.repeat(np.arange(len(batch.states)), np.diff(batch.offsets)))
    logits = move_logits(heads, geometry.index, rows, torch.from_numpy(batch.moves))
    return Evaluation(logits.numpy(), seat_values(heads.winner).numpy())


@pytest.mark.parametrize("name", sorted(CONFIGS))
@pytest.mark.parametrize("architecture", ["c4b1", "c24b3"])
def test_inference_agrees_with_the_forward_of_training(name: str, architecture: str) -> None:
    batch, network = _positions(name, 24), _random_network(architecture)
    found, wanted = NetworkEvaluator(network)(batch), _trained_forward(network, batch)
    np.testing.assert_allclose(found.logits, wanted.logits, rtol=1e-5, atol=1e-4)
    np.testing.assert_allclose(found.values, wanted.values, atol=1e-4)
    assert np.ptp(wanted.logits) > 1
    assert np.ptp(wanted.values[:, 0]) > 0.01


def test_every_kind_of_move_is_scored_as_in_training() -> None:
    random, positions = np.random.default_rng(5), _positions("hex8-3", 2)
    moves = [
        int(pack(kind, int(a), int(b % 3 + 1 if kind == Kind.PR else b), int(c)))
        for _ in range(2)
        for kind in Kind
        for a, b, c in random.integers(61, size=(8, 3))
    ]
    offsets = np.array([0, len(moves) // 2, len(moves)], np.int32)
    batch, network = EvalBatch(positions.states, offsets, np.array(moves)), _random_network("c8b1")
    found, wanted = NetworkEvaluator(network)(batch), _trained_forward(network, batch)
    np.testing.assert_allclose(found.logits, wanted.logits, atol=1e-4)


def test_plain_python_agrees_with_the_compiled_kernels() -> None:
    for name in ("hex8-2", "square8-4"):
        batch, network = _positions(name, 6), _random_network("c16b2")
        compiled, plain = NetworkEvaluator(network)(batch), NetworkEvaluator(network, PLAIN)(batch)
        np.testing.assert_allclose(plain.logits, compiled.logits, rtol=1e-5, atol=1e-4)
        np.testing.assert_allclose(plain.values, compiled.values, atol=1e-4)


def test_answers_are_equal_to_the_bit_whatever_else_is_in_the_batch() -> None:
    evaluate = NetworkEvaluator(_random_network("c16b2"))
    batches = [_positions("hex8-2", 30), _positions("square8-2", 3)]
    whole = [evaluate(batch) for batch in batches]
    for batch, together in zip(batches, whole, strict=True):
        for i in range(len(batch.states)):
            run = slice(batch.offsets[i], batch.offsets[i + 1])
            offsets = np.array([0, batch.offsets[i + 1] - batch.offsets[i]], np.int32)
            alone = evaluate(EvalBatch(batch.states.take([i]), offsets, batch.moves[run]))
            assert alone.logits.tobytes() == together.logits[run].tobytes()
            assert alone.values.tobytes() == together.values[i : i + 1].tobytes()


def test_an_evaluator_keeps_the_weights_it_was_made_with() -> None:
    batch, network = _positions("hex8-2", 4), _random_network("c4b1")
    evaluate, wanted = NetworkEvaluator(network), NetworkEvaluator(network)(batch)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.zero_()
    assert evaluate(batch).logits.tobytes() == wanted.logits.tobytes()
