"""Checkpoints: a training that is told to end, or killed, and goes on later ends as if nothing had happened."""

from __future__ import annotations

import random
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.config import Config, config
from tests.training.conftest import MODEL, QUICK, SEED
from tests.training.verified import experience_of, verified
from tests.training.worker_process import WorkerProcess
from training.arrays import DataError, read_header, write_arrays
from training.checkpoint_file import KIND, Expected, read_checkpoint, write_checkpoint
from training.checkpoints import Checkpoints, StoppedError
from training.drawing import Drawing, place_as_table, place_of_table
from training.experience import Experience
from training.first import train_first
from training.jobs import run_job
from training.model import save_model
from training.network import Network
from training.progress import Report, ignore_progress, never
from training.selfplay import play_shard
from training.settings import TrainSettings
from training.shard import Shard, write_shard
from training.stage import Stage
from training.trainer import Joint, Start, Trained, train

SETTINGS = TrainSettings(architecture="c4b1", steps=16, first_steps=8, batch=16, positions_per_game=4)
JOB: dict[str, Any] = {"job": "train", "config": "hex8-2", "parent": None, "sibling": None, "state": None, "seed": SEED}


@pytest.fixture(scope="module")
def partner_shard() -> Shard:
    return play_shard(config("hex8-3"), None, MODEL, SEED, 8, QUICK)


@pytest.fixture(scope="module")
def stage(random_shard: Shard, small_network: Network) -> Stage:
    """The stage of a training after 5 of its steps."""
    taken: list[Stage] = []
    train(
        experience_of(random_shard),
        Start(small_network),
        SEED,
        replace(SETTINGS, steps=5),
        observe=lambda take: taken.append(take()),
    )
    return taken[-1]


def outcome(done: Mapping[str, Any]) -> dict[str, Any]:
    """What a training answers, with the digests of its files instead of their places."""
    digests = {name: sha256(Path(path).read_bytes()).hexdigest() for name, path in done["files"].items()}
    others = ("architecture", "losses", "measures", "used", "skipped", "is_sibling", "partners")
    return {"files": digests, "state": Path(done["state"]).stem, **{name: done[name] for name in others}}


def enough_after(count: int) -> Callable[[], bool]:
    """An `is_enough` that is true from its call number `count` on."""
    calls = iter(range(count))
    return lambda: next(calls, None) is None


def bytes_of(trained: Trained) -> list[bytes]:
    """All that a training ends with."""
    assert trained.state is not None
    tensors = [parameter.detach() for parameter in trained.network.parameters()]
    for part in (trained.state.weights, trained.state.mean, trained.state.square):
        tensors += part.values()
    return [str((trained.state.steps, trained.losses)).encode(), *(tensor.numpy().tobytes() for tensor in tensors)]


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("kind", ["further", "first"])
def test_a_training_interrupted_again_and_again_ends_with_the_same_bytes(
    random_shard: Shard,
    searched_shard: Shard,
    partner_shard: Shard,
    kind: str,
    seed: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With a partner from a parent with its state, or two new networks; some are killed and not told to end."""
    monkeypatch.setattr("training.first.best_of", choose_second)
    chance = random.Random(f"{kind} {seed}")
    own = Experience(config("hex8-2"), [verified(random_shard), verified(searched_shard)], [500, 1000])
    before = train(own, None, MODEL, replace(SETTINGS, steps=2))
    start, joint = Start(before.network, before.state), Joint([experience_of(partner_shard)], 0.4)
    networks, steps = (1, SETTINGS.steps) if kind == "further" else (2, SETTINGS.first_steps)
    expected = Expected(inputs=SEED, architecture="c4b1", networks=networks, steps=steps, drawings=3 - networks)

    def attempt(checkpoints: Checkpoints) -> Trained:
        report = checkpoints.stopping(ignore_progress)
        if kind == "first":
            return train_first(own, SEED, SETTINGS, report, checkpoints=checkpoints).trained
        stage, observe = checkpoints.stage_of(0), checkpoints.observer_of(0)
        return train(own, start, SEED, SETTINGS, report, joint=joint, stage=stage, observe=observe)

    whole = bytes_of(attempt(Checkpoints()))
    found: list[int] = []
    stopped = 1
    while stopped:
        stopped = chance.randrange(0 if found else 1, 9)
        is_kill = chance.random() < 0.5
        checkpoints = Checkpoints(tmp_path, enough_after(stopped or 10**6), interval_s=0 if is_kill else 60)
        assert checkpoints.find(expected) == []
        found.append(checkpoints.found_steps)
        if is_kill:  # it gets no further, and writes nothing at its end
            monkeypatch.setattr(checkpoints, "_stop", _die)
        try:
            again = attempt(checkpoints)
        except StoppedError:
            assert len(list(tmp_path.iterdir())) == 1
            continue
        break
    assert found == sorted(found)
    assert len(set(found)) > 1, "nothing was gone on with"
    assert bytes_of(again) == whole, f"seed {seed}, interrupted after {found}"


def choose_second(_config: Config, networks: Sequence[Network], _seed: bytes, *, report: Report) -> int:
    """Compare networks in no time, with some reports."""
    for games in range(3):
        report({"games": games})
    return len(networks) - 1


def _die() -> None:
    """Stop as a killed process does."""
    raise StoppedError(0, 0)


def test_other_games_another_parent_or_seed_begin_anew(
    random_shard: Shard, searched_shard: Shard, small_network: Network, tmp_path: Path
) -> None:
    one, other = (str(write_shard(tmp_path, shard).path) for shard in (random_shard, searched_shard))
    folder = tmp_path / "checkpoints"
    save_model(tmp_path / "a", small_network)
    save_model(tmp_path / "b", Network("c4b1"))
    brief: dict[str, Any] = {"steps": 6, "batch": 16, "measured_blocks": 0}
    base = {**JOB, "parent": str(tmp_path / "a"), "shards": [one], "settings": brief, "out": str(tmp_path / "out")}
    changes: list[dict[str, Any]] = [
        {"shards": [one, other]},
        {"parent": str(tmp_path / "b")},
        {"seed": MODEL},
        {"settings": brief | {"learning_rate": 1e-3}},
        {"settings": brief | {"steps": 7}},
        {"weights": [500], "shards": [one]},
    ]
    for change in changes[:-1]:
        kept = {**base, "checkpoints": str(folder)}
        assert run_job(kept, ignore_progress, enough_after(4))["stopped"] == {"steps": 3, "wanted": 6}
        anew = run_job({**kept, **change}, ignore_progress)
        assert anew["resumed"] == 0
        assert [reason.partition(": ")[2] for reason in anew["dropped"]] == [
            "of a training on other games, or with another parent, seed or settings"
        ]
        assert outcome(anew) == outcome(run_job({**base, **change}, ignore_progress))
        shutil.rmtree(folder)


def test_a_worker_that_is_killed_goes_on_where_its_last_checkpoint_was(
    searched_shard: Shard, small_network: Network, tmp_path: Path
) -> None:
    """By SIGKILL, while it works."""
    folder = tmp_path / "checkpoints"
    save_model(tmp_path / "parent", small_network)
    job = {
        **JOB,
        "parent": str(tmp_path / "parent"),
        "shards": [str(write_shard(tmp_path, searched_shard).path)],
        "settings": {"steps": 400, "batch": 32, "measured_blocks": 0},
        "checkpoint_s": 0.05,
    }
    with WorkerProcess() as worker:
        worker.send(**job, id=1, checkpoints=str(folder), out=str(tmp_path / "out"))
        while not newest(folder):
            assert worker.process.poll() is None
            time.sleep(0.005)
        worker.process.kill()
    done = run_job({**job, "checkpoints": str(folder), "out": str(tmp_path / "out")}, ignore_progress)
    assert done["resumed"] > 0
    assert outcome(done) == outcome(run_job({**job, "out": str(tmp_path / "whole")}, ignore_progress))


def newest(folder: Path) -> str:
    """The name of the checkpoint in a folder, "" if there is none; half of one does not count."""
    return max((path.name for path in folder.glob("*.safetensors")), default="") if folder.exists() else ""


def test_a_damaged_checkpoint_is_dropped_with_one_reason_and_an_older_one_is_taken(
    stage: Stage, tmp_path: Path
) -> None:
    expected = Expected(inputs=bytes(32), architecture="c4b1", networks=1, steps=5, drawings=1)
    older = write_checkpoint(tmp_path, bytes(32), [stage]).path
    newer = write_checkpoint(tmp_path, bytes(32), [replace(stage, made=4)]).path
    data = bytearray(newer.read_bytes())
    data[-9] ^= 1  # a digit of a weight, which every check of its form would let pass
    newer.write_bytes(data)
    (tmp_path / "folder").mkdir()
    (tmp_path / "half.partial").write_bytes(b"killed while it was written")
    checkpoints = Checkpoints(tmp_path)
    dropped = checkpoints.find(expected)
    assert f"{newer.name}: damaged: its bytes are not those that its name says" in dropped
    assert checkpoints.stage_of(0) is not None
    assert not newer.exists()
    assert older.exists()
    checkpoints.observer_of(0)(lambda: replace(stage, made=5))
    checkpoints._interval_s = 0
    checkpoints.observer_of(0)(lambda: replace(stage, made=3))
    assert {path.name for path in tmp_path.iterdir()} == {newest(tmp_path), "folder"}
    assert newest(tmp_path) != older.name


def test_checkpoints_are_written_at_intervals_and_a_full_disk_ends_no_training(
    stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    now = [0.0]
    checkpoints = Checkpoints(tmp_path, interval_s=30, clock=lambda: now[0])
    checkpoints.find(Expected(inputs=bytes(32), architecture="c4b1", networks=1, steps=9, drawings=1))
    written = []
    for second in range(100):
        now[0] = second
        checkpoints.observer_of(0)(lambda made=second + 1: replace(stage, made=made))  # type: ignore[misc]
        name = newest(tmp_path)
        if name and name not in written:
            written.append(name)
    assert len(written) == 3
    monkeypatch.setattr("training.checkpoints.write_checkpoint", _fail)
    now[0] = 200
    checkpoints.observer_of(0)(lambda: stage)
    assert newest(tmp_path) == written[-1]
    assert capsys.readouterr().err == "checkpoint not written: [Errno 28] No space left on device\n"


def _fail(*_arguments: object) -> None:
    raise OSError(28, "No space left on device")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"architecture": "c8b1"}, "with another parent"),
        ({"inputs": "00"}, "on other games"),
        ({"stages": []}, "0 networks, expected 1 to 1"),
        ({"stages": [{"made": 4, "steps": 4, "places": [None]}] * 2}, "2 networks"),
        ({"stages": [7]}, "does not say how far network 0 was trained"),
        ({"stages": [{"made": 6, "steps": 6, "places": [None]}]}, "6 steps of 5, 6 in all"),
        ({"stages": [{"made": 3, "steps": 2, "places": [None]}]}, "3 steps of 5, 2 in all"),
        ({"stages": [{"made": True, "steps": 2, "places": [None]}]}, "does not say how far"),
        ({"stages": [{"made": 5, "steps": 5, "places": []}]}, "does not say how far"),
        ({"stages": [{"made": 5, "steps": 5, "places": [3]}]}, "not a place of a drawing"),
        ({"stages": [{"made": 5, "steps": 5, "places": [{"first": 3}]}]}, "not a place of a drawing"),
        ({"kind": "shard/1"}, "not a checkpoint of this version"),
        ({"array": ("0.losses", np.zeros(3))}, "losses that are none"),
        ({"array": ("0.losses", np.zeros(0))}, "no losses of a network that was trained to its end"),
        ({"array": ("0.losses", np.full(4, np.nan))}, "losses that are none"),
        ({"array": ("0.weights.winner.bias", np.zeros(3, np.float32))}, "a part of weights has 3 numbers, not 4"),
        ({"array": ("0.average.winner.bias", np.full(4, np.inf, np.float32))}, "a number that cannot be there"),
        ({"array": ("0.square.winner.bias", np.full(4, -1, np.float32))}, "a number that cannot be there"),
        ({"array": ("other", np.zeros(1))}, "holds the arrays"),
    ],
)
def test_a_checkpoint_that_lies_is_refused(change: dict[str, Any], reason: str, stage: Stage, tmp_path: Path) -> None:
    from safetensors.numpy import load

    good = write_checkpoint(tmp_path, bytes(32), [stage]).path
    arrays = load(good.read_bytes())
    header = read_header(good) | {name: value for name, value in change.items() if name != "array"}
    if "array" in change:
        arrays[change["array"][0]] = change["array"][1]
    path = write_arrays(tmp_path, header.pop("kind", KIND), header, arrays).path
    with pytest.raises(DataError, match=reason):
        read_checkpoint(path, Expected(inputs=bytes(32), architecture="c4b1", networks=1, steps=5, drawings=1))


def test_numbers_that_ruin_a_training_are_not_gone_on_with_twice(
    random_shard: Shard, small_network: Network, tmp_path: Path
) -> None:
    """Who hands over a checkpoint may have made up its numbers; they cost one attempt."""
    save_model(tmp_path / "parent", small_network)
    shards = [str(write_shard(tmp_path, random_shard).path)]
    folder, settings = tmp_path / "checkpoints", {"steps": 6, "batch": 16, "measured_blocks": 0}
    job = {**JOB, "parent": str(tmp_path / "parent"), "shards": shards, "settings": settings, "out": str(tmp_path)}
    job["checkpoints"] = str(folder)
    run_job(job, ignore_progress, enough_after(4))
    path = folder / newest(folder)
    inputs = bytes.fromhex(read_header(path)["inputs"])
    found = read_checkpoint(path, Expected(inputs=inputs, architecture="c4b1", networks=1, steps=6, drawings=1))[0]
    huge = {name: weights.fill_(3e38) for name, weights in found.state.weights.items()}
    path.unlink()
    write_checkpoint(folder, inputs, [replace(found, state=replace(found.state, weights=huge))])
    with pytest.raises(ValueError, match="cannot convert float NaN"):
        run_job(job, ignore_progress)
    assert list(folder.iterdir()) == []
    assert run_job(job, ignore_progress)["resumed"] == 0


def test_a_drawing_goes_on_anywhere_and_takes_no_place_for_granted(random_shard: Shard) -> None:
    experience = experience_of(random_shard)
    drawing = Drawing(experience, 5, SETTINGS)
    assert drawing.place is None
    seen = [drawing.next_batch()]
    places = [drawing.place]
    for _ in range(9):
        seen.append(drawing.next_batch())
        places.append(drawing.place)
    for number, place in enumerate(places[:-1]):
        assert place is not None
        again = Drawing(experience, 99, SETTINGS)
        again.go_on(place_of_table(place_as_table(place)))
        assert again.next_batch().moves.tobytes() == seen[number + 1].moves.tobytes()
        assert again.place == places[number + 1]
    assert places[0] is not None
    far = Drawing(experience, 99, SETTINGS)
    far.go_on(replace(places[0], first=10**9, start=10**9))
    assert len(far.next_batch().states) == 16
    for table in ({}, {**place_as_table(places[0]), "first": -1}, {**place_as_table(places[0]), "round_chance": {}}):
        with pytest.raises(ValueError, match="not a"):
            place_of_table(table)


def test_without_a_folder_nothing_is_kept_and_nothing_stops(stage: Stage) -> None:
    checkpoints = Checkpoints(is_enough=lambda: True)
    checkpoints.observer_of(0)(lambda: stage)
    checkpoints.stopping(ignore_progress)({"steps": 1})
    assert (checkpoints.stage_of(0), checkpoints.found_steps) == (None, 0)
    assert not never()
