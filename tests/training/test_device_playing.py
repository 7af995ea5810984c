"""Self-play on a device gives the games of the host: on Warp's device "cpu" to the byte, and on a GPU where one is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.backend.cuda import Device, cuda_devices
from engine.config import config
from tests.engine.search.evaluators import hashed
from tests.engine.search.test_device_search import Copied
from tests.training.conftest import MODEL, QUICK, SEED
from tests.training.test_pool import MIXED, digests, play_in_pool, seed_of
from training.device_evaluate import KernelEvaluator, TorchEvaluator
from training.device_playing import DevicePlaying, DeviceSearches, OnDevice
from training.evaluate import NetworkEvaluator
from training.model import save_model
from training.network import Network
from training.play_jobs import play_alone
from training.playing import Playing
from training.pool import SelfPlayPool
from training.progress import ignore_progress
from training.selfplay import play_shard, shard_of
from training.shard import Shard


@pytest.fixture(scope="module", params=["cpu", "cuda"])
def device(request: pytest.FixtureRequest) -> Device:
    if request.param == "cuda" and not cuda_devices():
        pytest.skip("no CUDA device: games of a GPU were not compared")
    return Device(request.param)


def assert_same(found: Shard, wanted: Shard, device: Device) -> None:
    """Integers are equal; policies and values, too, or on a GPU nearly, whose exp differs in the last bit."""
    for name in ("lengths", "openings", "winners", "moves", "searched", "choices", "entries"):
        assert (getattr(found, name) == getattr(wanted, name)).all(), name
    for name in ("weights", "values"):
        one, other = (np.asarray(getattr(shard, name)).astype(np.int64) for shard in (found, wanted))
        assert np.abs(one - other).max() <= (0 if device.name == "cpu" else 10), name


@pytest.mark.parametrize("name", ["hex8-2", pytest.param("hexagonal-3", marks=pytest.mark.slow)])
def test_games_with_a_stand_in_for_a_network_are_those_of_the_host(name: str, device: Device) -> None:
    """Full and fast searches, games of the heuristic, and games that begin in the places of others."""
    game, settings = config(name), replace(MIXED, opening_plies=40)
    found = play_shard(game, OnDevice(device, Copied(hashed)), MODEL, SEED, 8, settings)
    assert_same(found, play_shard(game, hashed, MODEL, SEED, 8, settings), device)
    assert len(set(found.lengths.tolist())) > 1


@pytest.mark.parametrize(("name", "sizes"), [("hex8-2", (5, 1, 9, 2)), ("square8-3", (4, 3))])
def test_each_job_of_a_pool_gets_its_shard_to_the_byte_with_a_network(
    name: str, sizes: tuple[int, ...], small_network: Network, tmp_path: Path
) -> None:
    game, there = config(name), OnDevice(Device("cpu"), KernelEvaluator(small_network))
    host = NetworkEvaluator(small_network)
    alone = [play_shard(game, host, MODEL, seed_of(number), size, MIXED) for number, size in enumerate(sizes)]
    assert digests(tmp_path, play_in_pool(game, there, MIXED, sizes)) == digests(tmp_path, alone)


def test_a_pool_that_grows_shrinks_and_loses_a_job_leaves_the_others_as_they_are(
    device: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("training.device_playing._FEWEST", 2)
    game, settings = config("hex8-2"), replace(QUICK, concurrency=3)
    pool = SelfPlayPool(game, OnDevice(device, Copied(hashed)), settings)
    first, dropped, last = pool.add(seed_of(0), 4), pool.add(seed_of(1), 6), pool.add(seed_of(2), 5)
    for _ in range(6):
        pool.step()
    assert len(pool) == 3
    pool.places = 13
    pool.step()
    assert len(pool) > 9
    pool.drop(dropped)
    pool.places = 2
    while not (first.is_over and last.is_over):
        pool.step()
    for job in (first, last):
        wanted = play_shard(game, hashed, MODEL, job.seed, job.wanted, settings)
        assert_same(shard_of(game, MODEL, job, settings), wanted, device)
    assert len(pool) == 0


def test_a_search_of_many_asks_the_host_for_nothing(
    device: Device, small_network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two hundred games at once; what the host is asked for once a move is not asked for in each simulation."""
    game, asked = config("hex8-2"), []
    evaluate = KernelEvaluator(small_network) if device.name == "cpu" else TorchEvaluator(small_network)
    playing = DevicePlaying(game, device)
    playing.extend(200)
    playing.play_random(np.arange(200, dtype=np.int32) % 50, np.arange(200, dtype=np.uint64))
    playing.play_forced()
    where = np.flatnonzero(~playing.finished())
    assert len(where) == 200
    searches = DeviceSearches(playing, evaluate, QUICK)
    seeds = playing.seeds(np.zeros(200, np.uint64), where)
    searches.choose(where, seeds, 2)
    for simulations in (3, 12):
        searches.choose(where, seeds, simulations)  # makes the search
        asked.append(_asked(monkeypatch, partial(searches.choose, where, seeds, simulations)))
    assert asked[0] == asked[1] <= 3
    moves = searches.choose(where, seeds, 3)
    host = Playing(game, 200)
    host.play_random(np.arange(200, dtype=np.int32) % 50, np.arange(200, dtype=np.uint64))
    host.play_forced()
    for one in (playing, host):
        one.play(where, moves)
    assert playing.positions(where).states.tobytes() == host.games.states.tobytes()
    assert playing.lengths.tolist() == host.lengths.tolist()


def _asked(monkeypatch: pytest.MonkeyPatch, work: Callable[[], object]) -> int:
    """Return how often arrays were copied from the device while `work` ran."""
    calls: list[int] = []
    download = Device.download

    def counted(self: Device, array: Any) -> Any:
        calls.append(1)
        return download(self, array)

    with monkeypatch.context() as patched:
        patched.setattr(Device, "download", counted)
        work()
    return len(calls)


def job(folder: Path, network: Network, **more: Any) -> Mapping[str, Any]:
    save_model(folder / "model", network)
    settings = {"simulations": 3, "considered": 3, "opening_plies": 20, "concurrency": 6}
    return {
        "job": "selfplay",
        "config": "hex8-2",
        "model": str(folder / "model"),
        "model_digest": MODEL,
        "seed": SEED,
        "games": 5,
        "settings": settings,
        "facts": True,
        "out": str(folder / "out"),
        **more,
    }


def test_a_job_that_names_a_device_answers_as_one_that_names_none(small_network: Network, tmp_path: Path) -> None:
    host, there = (play_alone(job(tmp_path, small_network, device=device), ignore_progress) for device in (None, "cpu"))
    assert host == there
    assert there["device"] == "cpu"


def test_a_gpu_that_is_not_there_is_done_without_and_another_device_is_refused(
    small_network: Network, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if cuda_devices():
        pytest.skip("there is a GPU")
    done = play_alone(job(tmp_path, small_network, device="cuda"), ignore_progress)
    assert done == play_alone(job(tmp_path, small_network), ignore_progress)
    assert "playing on the CPU: Warp finds no GPU with a driver that it can use" in capsys.readouterr().err
    with pytest.raises(RuntimeError, match="no device 'tpu'; the devices here are cpu"):
        play_alone(job(tmp_path, small_network, device="tpu"), ignore_progress)


def test_who_looks_at_a_game_on_a_device_sees_what_is_seen_on_the_host() -> None:
    game, seen = config("hex8-2"), []
    for evaluate in (hashed, OnDevice(Device("cpu"), Copied(hashed))):
        pool: list[Any] = []
        playing = SelfPlayPool(game, evaluate, MIXED)
        playing.add(SEED, 4)
        for _ in range(12):
            playing.step(lambda _job, move, pool=pool: pool.append(move))  # type: ignore[misc]
        seen.append(pool)
    assert len(seen[0]) == len(seen[1]) == 12
    for host, there in zip(*seen, strict=True):
        assert (host.number, host.plies, host.move, host.apart) == (there.number, there.plies, there.move, there.apart)
        assert host.row.tobytes() == there.row.tobytes()
        assert str(host.found) == str(there.found)
