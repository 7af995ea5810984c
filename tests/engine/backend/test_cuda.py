"""Games on a device are the games of the CPU, byte for byte: on Warp's device "cpu" always, on a GPU where one is."""

import os

import numpy as np
import pytest
import torch

from engine.backend.cpu import cpu, warp
from engine.backend.cuda import Device, DeviceError, cuda_devices
from engine.config import Config, config
from engine.device_games import ROOM, DeviceGames, DeviceGamesError
from engine.games import Games
from engine.rules import move_bound, scratch_width
from engine.search import gumbel_search
from tests.engine.search.evaluators import hashed

HEX = config("hex8-2")
GAMES = {"cpu": 40, "cuda": 10_000}  # the CPU's device has one thread


@pytest.fixture(scope="module", params=["cpu", "cuda"])
def device(request: pytest.FixtureRequest, kernels: None) -> Device:
    if request.param == "cuda" and not cuda_devices():
        pytest.skip("no CUDA device: equality of CPU and GPU was not looked at")
    return Device(request.param)


def on_cpu(made: Config, count: int) -> Games:
    return Games.new(made, count, executor=cpu(os.cpu_count() or 1))


def kind(device: Device) -> str:
    return device.name.partition(":")[0]


def test_all_states_are_equal_after_random_steps(any_config: Config, device: Device) -> None:
    count = GAMES[kind(device)]
    expected, games = on_cpu(any_config, count), DeviceGames.new(any_config, count, device=device)
    for steps in (1, 30, 170):
        wanted = expected.play_randomly(seed=2**64 - steps, steps=steps)
        played = games.play_randomly(seed=2**64 - steps, steps=steps)
        assert (device.download(played) == wanted).all()
        assert games.download().states.tobytes() == expected.states.tobytes()


def test_whole_games_are_equal(small_config: Config, device: Device) -> None:
    expected, games = on_cpu(small_config, 30), DeviceGames.new(small_config, 30, device=device)
    numbers = np.arange(1000, 1030, dtype=np.uint64)
    wanted = expected.play_randomly(1, 10_000, numbers)
    assert expected.over().all()
    assert (device.download(games.play_randomly(1, 10_000, numbers)) == wanted).all()
    assert games.download().states.tobytes() == expected.states.tobytes()
    assert not device.download(games.legal().counts).any()


def test_legal_moves_features_and_moves_are_equal(any_config: Config, device: Device) -> None:
    expected, games = on_cpu(any_config, 20), DeviceGames.new(any_config, 20, device=device)
    expected.play_randomly(3, 60)
    games.play_randomly(3, 60)
    for step in range(12):
        legal, found = expected.legal(), games.legal()
        counts, rows = device.download(found.counts), device.download(found.moves)
        assert (counts == np.diff(legal.offsets)).all()
        for game, count in enumerate(counts):
            assert (rows[game, :count] == legal.of(game)).all()
        chosen = np.array([moves[7 * step % len(moves)] if len(moves := legal.of(i)) else -1 for i in range(20)])
        expected.apply(chosen)
        games.apply(chosen, check=bool(step % 2))
        for ours, theirs in zip(games.features(), expected.features(), strict=True):
            assert (device.download(ours) == theirs).all()
        assert games.download().states.tobytes() == expected.states.tobytes()


def test_the_pie_rule_and_uploaded_games(device: Device) -> None:
    with pytest.raises(ValueError, match="the pie rule is for 2 players"):
        DeviceGames.new(config("hex8-3"), 1, swap=True, device=device)
    games = DeviceGames.new(HEX, 2, swap=True, device=device)
    expected = Games.new(HEX, 2, swap=True)
    assert (games.download().states == expected.states).all()
    expected.play_randomly(1, 20)
    copied = DeviceGames.upload(expected, device)
    copied.play_randomly(2, 20)
    expected.play_randomly(2, 20)
    assert (copied.download().states == expected.states).all()


def test_memory_is_shared_with_torch(device: Device) -> None:
    games = DeviceGames.new(HEX, 5, device=device)
    states = torch.from_dlpack(games.states)
    assert states.data_ptr() == torch.as_tensor(games.states, device=kind(device)).data_ptr() == games.states.ptr
    games.play_randomly(1, 9)
    assert (states.cpu().numpy() == games.download().states).all()
    first = torch.from_dlpack(games.legal().moves)[:, 0]  # not one after the other in memory
    before = games.download()
    games.apply(first)
    before.apply([before.legal().of(game)[0] for game in range(5)])
    assert (states.cpu().numpy() == before.states).all()
    states[0] = states[1]
    assert (games.download().states[0] == before.states[1]).all()


def test_a_step_waits_for_nothing(device: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    games = DeviceGames.new(HEX, 50, device=device)
    moves = torch.from_dlpack(games.legal().moves)

    def step(seed: int) -> None:
        games.legal()
        games.apply(moves[:, 0])
        games.play_randomly(seed, 3)
        games.features()

    step(1)  # the first makes the arrays

    def host(*_: object) -> None:
        raise AssertionError("the host was asked for something within a step")

    for name in ("wait", "upload", "download"):
        monkeypatch.setattr(Device, name, host)
    monkeypatch.setattr(type(games.states), "numpy", host)
    step(2)
    monkeypatch.undo()
    games.check()


def test_too_many_legal_moves_stop_a_game_loudly_and_no_other(device: Device) -> None:
    start = on_cpu(HEX, 30)
    start.play_randomly(1, 40)
    expected, games = start.copy(), DeviceGames.upload(start, device, room=135)
    expected.play_randomly(1, 40)
    played = device.download(games.play_randomly(1, 40))
    states, stopped = device.download(games.states), played < 0
    assert 0 < stopped.sum() < 30
    assert (states[~stopped] == expected.states[~stopped]).all()
    for game in np.flatnonzero(stopped):
        there, until = Games(HEX, states[[game]]), start.take([game])
        assert len(there.legal().moves) == -played[game] > 135
        until.play_randomly(1, int(there.ply()[0] - until.ply()[0]), [game])
        assert (there.states == until.states).all(), "a game without room is where it was stopped"
    first = int(np.argmax(stopped))
    for look in (games.check, games.download):
        with pytest.raises(DeviceGamesError, match=f"game {first} has {-played[first]} legal moves, but room for 135:"):
            look()


def test_a_list_that_is_too_short_is_found(device: Device) -> None:
    games = DeviceGames.new(HEX, 3, device=device, room=182)
    assert device.download(games.legal().counts).tolist() == [183] * 3
    with pytest.raises(DeviceGamesError, match="game 0 has 183 legal moves, but room for 182"):
        games.check()


def test_room_is_the_proved_bound_where_that_is_small(device: Device) -> None:
    assert DeviceGames.new(HEX, 1, device=device).room == move_bound(HEX) < ROOM
    assert DeviceGames.new(config("hexagonal-4"), 1, device=device).room == ROOM < move_bound(config("hexagonal-4"))


def test_an_illegal_move_changes_nothing_and_is_found(device: Device) -> None:
    games = DeviceGames.new(HEX, 4, device=device)
    expected = games.download()
    legal = expected.legal()
    moves = np.array([legal.of(game)[game] for game in range(4)])
    expected.apply(moves)
    moves[2] = 2**62
    games.apply(moves)
    states = device.download(games.states)
    assert (states[[0, 1, 3]] == expected.states[[0, 1, 3]]).all()
    assert (states[2] == Games.new(HEX, 1).states[0]).all()
    with pytest.raises(DeviceGamesError, match="game 2 was given a move that is not one of its 183 legal moves"):
        games.check()


def test_arguments_must_fit(device: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    games = DeviceGames.new(HEX, 4, device=device)
    with pytest.raises(ValueError, match=r"moves are int64\[4\], got int32\[4\]"):
        games.apply(np.zeros(4, np.int32))
    with pytest.raises(ValueError, match=r"moves are int64\[4\], got int64\[3\]"):
        games.apply(np.zeros(3, np.int64))
    with pytest.raises(ValueError, match=r"numbers are uint64\[4\], got int64\[4\]"):
        games.play_randomly(1, 1, np.zeros(4, np.int64))
    with pytest.raises(ValueError, match="seed"):
        games.play_randomly(2**64, 1)
    with pytest.raises(ValueError, match="steps"):
        games.play_randomly(1, 2**31)
    with pytest.raises(ValueError, match=r"states are int16\[4, \d+\], got int16\[4, 3\]"):
        DeviceGames(HEX, device.zeros((4, 3), np.int16), device)
    elsewhere = Device("cpu")
    monkeypatch.setattr(elsewhere, "_device", "cuda:7")
    with pytest.raises(DeviceError, match=r"an array on (cpu|cuda:0) was given to kernels on cpu: move it there first"):
        elsewhere.share(games.states)


def test_launches_are_cut_so_that_their_lanes_fit(device: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    lane = 8 * move_bound(HEX) + 4 * scratch_width(HEX)
    small = Device(device.name, memory_bytes=7 * lane + lane // 2)
    expected, games = on_cpu(HEX, 30), DeviceGames.new(HEX, 30, device=small)
    sizes = []
    launch = warp().launch

    def counted(kernel: object, dim: int, **others: object) -> None:
        sizes.append(dim)
        launch(kernel, dim=dim, **others)

    monkeypatch.setattr(warp(), "launch", counted)
    games.play_randomly(1, 100)
    assert sizes == [6, 6, 6, 6, 6, 30], "30 games over 7 lanes, in even parts, and the note of errors"
    expected.play_randomly(1, 100)
    assert (games.download().states == expected.states).all()
    with pytest.raises(DeviceError, match=r"one game needs [\d,]+ bytes of working memory, .* may use 1,000"):
        DeviceGames.new(HEX, 1, device=Device(device.name, memory_bytes=1000)).play_randomly(1, 1)


def test_games_and_search_run_on_a_device_as_executor(device: Device) -> None:
    expected, games = Games.new(HEX, 6), Games.new(HEX, 6, executor=device)
    expected.play_randomly(5, 40)
    games.play_randomly(5, 40)
    assert (games.states == expected.states).all()
    assert (games.legal().moves == expected.legal().moves).all()
    seeds = np.arange(6, dtype=np.uint64)
    found, again, wanted = (
        gumbel_search(batch, hashed, simulations=12, considered=4, seeds=seeds) for batch in (games, games, expected)
    )
    assert (found.policy == again.policy).all()
    if kind(device) == "cpu":  # a GPU's exp differs in the last bit
        assert (found.policy == wanted.policy).all()
    assert np.allclose(found.policy, wanted.policy, atol=1e-4)
    assert (found.actions == wanted.actions).all()


def test_a_missing_device_is_named() -> None:
    with pytest.raises(DeviceError, match="no device 'gpu'; the devices here are cpu"):
        Device("gpu")
    if not cuda_devices():
        with pytest.raises(DeviceError, match="no CUDA device: 'cuda' was asked for, but Warp finds no NVIDIA GPU"):
            Device()
        with pytest.raises(DeviceError, match="no CUDA device: 'cuda:1' was asked for"):
            DeviceGames.new(HEX, 1, device=Device("cuda:1"))
