"""The search on a device finds what the search on the host finds: on Warp's device "cpu", and on a GPU where one is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from engine.backend.cuda import Device, cuda_devices
from engine.config import Config, config
from engine.games import Games
from engine.search import EvalBatch, Evaluate, Evaluation, SearchResult, gumbel_search
from engine.search.device_search import DeviceSearch
from engine.search.device_trees import Leaves
from engine.search.nodes import COUNT, FIRST, FRESH, LEAF, LOGIT
from tests.engine.search.evaluators import hashed

SEEDS = np.arange(900, 1000, dtype=np.uint64)


class Copied:
    """An evaluator of the host behind the interface of a device: it copies the leaves there and the answers back."""

    is_recordable = False

    def __init__(self, evaluate: Evaluate, value_scale: float = 0.1) -> None:
        self.value_scale = value_scale
        self.batches: list[int] = []
        self._evaluate = evaluate

    def prepare(self, leaves: Leaves) -> Callable[[], None]:
        return lambda: self._answer(leaves)

    def _answer(self, leaves: Leaves) -> None:
        device = leaves.device
        found, nodes, moves = (device.download(each) for each in (leaves.leaves, leaves.nodes, leaves.moves))
        fresh = np.flatnonzero(found[:, FRESH] > 0)
        self.batches.append(len(fresh))
        if len(fresh) == 0:
            return
        at = found[fresh, LEAF]
        runs = [np.arange(first, first + count) for first, count in nodes[at][:, [FIRST, COUNT]]]
        edges = np.concatenate(runs)
        offsets = np.cumsum([0, *map(len, runs)]).astype(np.int32)
        states = Games(leaves.config, device.download(leaves.states)[at])
        answer = self._evaluate(EvalBatch(states, offsets, moves[edges]))
        stats, values = device.download(leaves.stats), device.download(leaves.values)
        stats[edges, LOGIT] = answer.logits
        values[fresh] = answer.values
        device.write(leaves.stats, stats)
        device.write(leaves.values, values)


@pytest.fixture(scope="module", params=["cpu", "cuda"])
def device(request: pytest.FixtureRequest, kernels: None) -> Device:
    if request.param == "cuda" and not cuda_devices():
        pytest.skip("no CUDA device: the search of a GPU was not compared")
    return Device(request.param)


def positions(made: Config, count: int) -> Games:
    """Positions from all stages of random games, some of them forced and some at the end."""
    games = Games.new(made, count)
    for place, plies in enumerate(np.linspace(0, 200, count)):
        one = games.take([place])
        one.play_randomly(place, int(plies))
        games.states[place] = one.states[0]
    return games


def assert_equal(found: SearchResult, wanted: SearchResult, device: Device) -> None:
    """Integers are equal; floats to the bit on the CPU, nearly on a GPU, whose exp differs in the last bit."""
    for name in ("actions", "offsets", "moves", "visits"):
        assert (getattr(found, name) == getattr(wanted, name)).all(), name
    tolerance = 0.0 if device.name == "cpu" else 1e-4
    np.testing.assert_allclose(found.policy, wanted.policy, atol=tolerance, rtol=0.0)
    np.testing.assert_allclose(found.values, wanted.values, atol=tolerance, rtol=0.0)


def test_moves_and_visits_are_those_of_the_host(any_config: Config, device: Device) -> None:
    games = positions(any_config, 7)
    search = DeviceSearch(any_config, Copied(hashed), device, count=7, simulations=9, considered=4)
    search.run(device.upload(games.states), np.arange(7), SEEDS[:7])
    wanted = gumbel_search(games, hashed, simulations=9, considered=4, seeds=SEEDS[:7])
    assert {0, 1} & set(np.diff(wanted.offsets).tolist())
    assert wanted.visits.sum() > 9
    assert_equal(search.result(), wanted, device)
    assert (device.download(search.actions) == wanted.actions).all()


def test_one_search_serves_many_batches(device: Device) -> None:
    """Fewer games than there are places, chosen rows in any order, smaller budgets, other noise."""
    made = config("hex8-2")
    games, evaluate = positions(made, 70), Copied(hashed, 0.3)
    states = device.upload(games.states)
    search = DeviceSearch(made, evaluate, device, count=66, simulations=12, considered=8)
    at_scale = hashed_at(0.3)
    for where, budget, noise in (
        (np.arange(66)[::-1], 12, 1.0),
        (np.array([3, 50, 4]), 5, 0.0),
        (np.array([69]), 1, 0.01),
        (np.arange(64, 0, -2), 12, 2.0),
    ):
        search.run(states, where, SEEDS[where], simulations=budget, noise=noise)
        wanted = gumbel_search(
            games.take(where), at_scale, simulations=budget, considered=8, seeds=SEEDS[where], noise=noise
        )
        assert_equal(search.result(), wanted, device)
    assert (device.download(states) == games.states).all()


def hashed_at(scale: float) -> Evaluate:
    def evaluate(batch: EvalBatch) -> Evaluation:
        return replace(hashed(batch), value_scale=scale)

    return evaluate


def test_a_search_without_room_begins_again_with_more(device: Device) -> None:
    made = config("square8-3")
    games = positions(made, 5)
    evaluate = Copied(hashed)
    search = DeviceSearch(made, evaluate, device, count=5, simulations=8, considered=4, edges=3, room=50)
    search.run(device.upload(games.states), np.arange(5), SEEDS[:5])
    wanted = gumbel_search(games, hashed, simulations=8, considered=4, seeds=SEEDS[:5])
    assert_equal(search.result(), wanted, device)
    rounds = len(evaluate.batches)
    assert rounds > 9, "the room was enough"
    assert rounds % 9 == 0
    search.run(device.upload(games.states), np.arange(5), SEEDS[:5])
    assert len(evaluate.batches) == rounds + 9, "the room that was found is kept"


def test_games_that_are_over_are_not_searched(device: Device) -> None:
    made = config("hex8-2")
    games = Games.new(made, 2)
    games.play_randomly(1, 10_000)
    search = DeviceSearch(made, Copied(hashed), device, count=3, simulations=2, considered=2)
    search.run(device.upload(games.states), np.arange(2), SEEDS[:2])
    found = search.result()
    assert found.actions.tolist() == [-1, -1]
    assert len(found.moves) == 0
    assert not found.values.any()
    search.run(device.upload(games.states), np.empty(0, np.int64), SEEDS[:0])
    assert len(search.result().actions) == 0


def test_arguments_must_fit(device: Device) -> None:
    made = config("hex8-2")
    with pytest.raises(ValueError, match="at least one game, simulation"):
        DeviceSearch(made, Copied(hashed), device, count=1, simulations=0, considered=2)
    with pytest.raises(ValueError, match="a search of more than 1073741824 edges"):
        DeviceSearch(made, Copied(hashed), device, count=2**14, simulations=2**11, considered=2)
    search = DeviceSearch(made, Copied(hashed), device, count=2, simulations=2, considered=2)
    states = device.upload(Games.new(made, 3).states)
    for where, seeds, budget in ((3, 3, 2), (2, 1, 2), (2, 2, 3), (2, 2, -1)):
        with pytest.raises(ValueError, match="in a search made for 2 simulations in 2 games"):
            search.run(states, np.arange(where), SEEDS[:seeds], simulations=budget)
