"""The network: what it may depend on and what not, and its files."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from engine.boards import board
from engine.config import CONFIGS, config
from engine.games import Games
from engine.moves import Kind
from engine.search import EvalBatch, Evaluation, evaluate_uniformly
from training.arrays import DataError
from training.evaluate import NetworkEvaluator
from training.geometry import Geometry
from training.model import CONFIG, WEIGHTS, load_model, save_model
from training.move_index import ROLES
from training.network import Convolution, Network, parse_architecture, seat_values


def _positions(name: str, count: int = 6) -> EvalBatch:
    games = Games.new(config(name), 8 * count)
    for i, plies in enumerate(np.linspace(12, 160, len(games))):
        one = games.take([i])
        one.play_randomly(i, int(plies))
        games.states[i] = one.states[0]
    games = games.take(np.flatnonzero(np.diff(games.legal().offsets) > 1)[:count])
    legal = games.legal()
    return EvalBatch(games, legal.offsets, legal.moves)


def _random_network(architecture: str = "c4b1") -> Network:
    """A network none of whose weights is zero."""
    torch.manual_seed(0)
    network = Network(architecture)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.2 * torch.randn_like(parameter))
    return network.eval()


@pytest.mark.parametrize("name", sorted(CONFIGS))
def test_one_network_serves_every_configuration(name: str) -> None:
    batch = _positions(name)
    found = NetworkEvaluator(_random_network())(batch)
    assert found.logits.shape == batch.moves.shape
    assert found.values.shape == (len(batch.states), batch.config.players)
    np.testing.assert_allclose(found.values.sum(axis=1), 0.0, atol=1e-5)
    assert np.isfinite(found.logits).all()
    assert found.values.min() >= -1.0


def test_answers_do_not_depend_on_the_rest_of_the_batch() -> None:
    batch = _positions("hex8-2")
    evaluate = NetworkEvaluator(_random_network())
    whole = evaluate(batch)
    for i in range(len(batch.states)):
        states = batch.states.take([i])
        legal = states.legal()
        alone = evaluate(EvalBatch(states, legal.offsets, legal.moves))
        run = slice(batch.offsets[i], batch.offsets[i + 1])
        np.testing.assert_allclose(alone.logits, whole.logits[run], atol=1e-4)
        np.testing.assert_allclose(alone.values, whole.values[i : i + 1], atol=1e-5)


def test_different_moves_of_a_position_have_different_scores() -> None:
    """Every cell that a move names counts, or two moves would be indistinguishable to the policy."""
    for name in ("hex8-2", "square8-3"):
        batch = _positions(name, count=24)
        logits = NetworkEvaluator(_random_network("c8b1"))(batch).logits
        for i in range(len(batch.states)):
            run = slice(batch.offsets[i], batch.offsets[i + 1])
            kinds = set(batch.moves[run] & 255)
            if not kinds & {Kind.TR, Kind.CL_ALL, Kind.CL_SUB, Kind.PL}:  # scored by their first cell alone
                assert len(np.unique(logits[run])) == len(batch.moves[run])


def test_hex_kernels_see_six_neighbours() -> None:
    layer = Convolution(1, 1)
    with torch.no_grad():
        layer.weight.fill_(1.0)
    shape = board("hex8")
    field = torch.zeros(1, 1, 9, 9)
    field[0, 0, 4, 4] = 1.0  # cell (0, 0)
    seen = layer(field, True)[0, 0].nonzero().tolist()
    cells = {(x, y) for x, y in shape.directions} | {(0, 0)}
    assert {(column - 4, row - 4) for row, column in seen} == cells
    assert len(layer(field, False)[0, 0].nonzero()) == 9


def test_placements_are_scored_by_cell_and_count() -> None:
    index = Geometry.of(config("hex8-2")).index
    moves = torch.tensor([int(Kind.PR) | 5 << 8 | count << 20 for count in (1, 2, 3)])
    places = index.locate(moves)
    assert [ROLES[i] for i in places.roles[:, 0]] == ["place 1", "place 2", "place 3"]
    assert len(set(places.squares[:, 0].tolist())) == 1
    assert (places.squares[:, 1:] == index_none(index.squares)).all()


def index_none(squares: torch.Tensor) -> int:
    return int(squares.max())


def test_seat_values_are_exact_at_the_ends() -> None:
    sure = torch.tensor([[100.0, 0.0, 0.0]])
    assert seat_values(sure).tolist() == [[1.0, -0.5, -0.5]]
    assert seat_values(torch.zeros(1, 4)).tolist() == [[0.0] * 4]


@pytest.mark.parametrize("name", ["", "c16", "c16b2x", "c3b1", "c300b1", "c16b99", "../c16b2"])
def test_unknown_architectures_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match="unknown architecture"):
        parse_architecture(name)


def test_uniform_needs_no_weights() -> None:
    batch = _positions("square8-3")
    found: Evaluation = evaluate_uniformly(batch)
    assert not found.logits.any()
    assert found.values.shape == (len(batch.states), 3)


def test_a_model_survives_its_files(tmp_path: Path) -> None:
    network = _random_network("c8b2")
    network.value_scale = 0.25
    saved, again = save_model(tmp_path / "a", network), save_model(tmp_path / "b", network)
    assert saved.digests == again.digests
    assert set(saved.files) == {WEIGHTS, CONFIG}
    batch = _positions("hex8-2")
    before, after = NetworkEvaluator(network)(batch), NetworkEvaluator(load_model(tmp_path / "a"))(batch)
    assert before.logits.tobytes() == after.logits.tobytes()
    assert before.value_scale == after.value_scale == 0.25


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"format": 1}, "exactly the keys architecture, format, planes, scalars$"),
        ({"format": 3}, "format 3, but this program reads the formats 1 to 2"),
        ({"format": [2]}, r"format \[2\], but this program reads the formats 1 to 2"),
        ({"planes": 3}, "planes 3, but this program reads planes 35"),
        ({"value_scale": 0.0}, "the value scale is 0.0"),
        ({"value_scale": "high"}, "the value scale is 'high'"),
        ({"architecture": "c8b2"}, "'blocks.1"),
        ({"architecture": "resnet"}, "unknown architecture"),
        ({"architecture": 7}, "not a name"),
        ({"extra": 1}, "exactly the keys"),
    ],
)
def test_a_wrong_configuration_is_refused(change: dict[str, object], reason: str, tmp_path: Path) -> None:
    save_model(tmp_path, _random_network("c8b1"))
    wrong = json.loads((tmp_path / CONFIG).read_text()) | change
    (tmp_path / CONFIG).write_text(json.dumps(wrong))
    with pytest.raises(DataError, match=reason):
        load_model(tmp_path)


def test_wrong_weights_are_refused(tmp_path: Path) -> None:
    save_model(tmp_path, _random_network())
    good = load_file(tmp_path / WEIGHTS)
    name = "winner.weight"
    nan = good[name].clone()
    nan[0, 0] = torch.nan
    for wrong, reason in [
        ({key: value for key, value in good.items() if key != name}, "is missing"),
        (good | {"more": good[name].clone()}, "not part of c4b1"),
        (good | {name: good[name][:2].clone()}, "wrong type or shape"),
        (good | {name: good[name].double()}, "wrong type or shape"),
        (good | {name: nan}, "not finite"),
    ]:
        save_file(wrong, tmp_path / WEIGHTS)
        with pytest.raises(DataError, match=reason):
            load_model(tmp_path)
    torch.save(good, tmp_path / WEIGHTS)  # a pickle
    with pytest.raises(DataError, match="not a readable safetensors file"):
        load_model(tmp_path)
    (tmp_path / CONFIG).write_bytes(b"{")
    with pytest.raises(DataError, match="not JSON"):
        load_model(tmp_path)
    (tmp_path / WEIGHTS).unlink()
    (tmp_path / CONFIG).unlink()
    with pytest.raises(DataError, match="cannot be read"):
        load_model(tmp_path)
