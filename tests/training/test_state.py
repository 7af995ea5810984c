"""Files of training states: whole ones come back, others are refused with one reason."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from training.arrays import DataError, write_arrays
from training.network import Network
from training.state import KIND, TrainingState, capture_state, read_state, restore_state, write_state


def _state(steps: int = 3) -> TrainingState:
    torch.manual_seed(5)
    network = Network("c4b1")
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-3)
    for parameter in network.parameters():
        parameter.grad = torch.randn_like(parameter)
    optimizer.step()
    return capture_state(network, optimizer, steps)


def _arrays(state: TrainingState) -> dict[str, NDArray[np.float32]]:
    parts = {"weights": state.weights, "mean": state.mean, "square": state.square}
    return {f"{part}.{name}": tensor.numpy().ravel() for part, found in parts.items() for name, tensor in found.items()}


def test_a_state_survives_its_file(tmp_path: Path) -> None:
    state = _state()
    stored, again = write_state(tmp_path / "a", state), write_state(tmp_path / "b", state)
    assert stored.digest == again.digest
    found = read_state(stored.path, "c4b1")
    assert (found.architecture, found.steps) == ("c4b1", 3)
    for part in ("weights", "mean", "square"):
        for name, tensor in getattr(state, part).items():
            assert torch.equal(tensor, getattr(found, part)[name])


def test_an_optimizer_goes_on_where_another_one_was() -> None:
    network = Network("c4b1")
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-3)
    state = _state(7)
    restore_state(state, network, optimizer)
    again = capture_state(network, optimizer, 7)
    assert all(torch.equal(state.square[name], again.square[name]) for name in state.square)
    assert all(float(optimizer.state[parameter]["step"]) == 7 for parameter in network.parameters())


@pytest.mark.parametrize(
    ("header", "change", "reason"),
    [
        ({"architecture": "c8b1"}, {}, "a training of 'c8b1', not of c4b1"),
        ({"steps": 0}, {}, "0 steps, expected a whole number from 1"),
        ({"steps": True}, {}, "True steps"),
        ({}, {"weights.winner.bias": np.zeros(3, np.float32)}, "'weights.winner.bias' has 3 numbers, c4b1 needs 4"),
        ({}, {"mean.winner.bias": np.full(4, np.nan, np.float32)}, "not finite"),
        ({}, {"square.winner.bias": np.full(4, -1, np.float32)}, "negative mean of squares"),
        ({}, {"square.other": np.zeros(4, np.float32)}, "holds the arrays"),
    ],
)
def test_a_wrong_state_is_refused(
    header: dict[str, object], change: dict[str, NDArray[np.float32]], reason: str, tmp_path: Path
) -> None:
    told = {"architecture": "c4b1", "steps": 3} | header
    stored = write_arrays(tmp_path, KIND, told, _arrays(_state()) | change)
    with pytest.raises(DataError, match=reason):
        read_state(stored.path, "c4b1")
