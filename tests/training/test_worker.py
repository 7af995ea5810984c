"""The worker process: every kind of job once over real pipes, its mistakes and its end."""

from __future__ import annotations

import hashlib
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from engine.config import config
from tests.training.worker_process import ROOT, WorkerProcess
from training.evaluate import NetworkEvaluator
from training.model import save_model
from training.network import Network
from training.selfplay import play_shard
from training.settings import SelfPlaySettings
from training.shard import shard_root, write_shard
from training.worker import is_breaking

SEED = b"s" * 32
MODEL = b"m" * 32
SMALL = {"simulations": 2, "considered": 2, "concurrency": 8}
BRIEF = {"first_steps": 3, "first_networks": 1, "measured_blocks": 1}


def test_one_generation(tmp_path: Path) -> None:
    """Uniform games, training on them, games of the result, a match, and its check."""
    out, settings = str(tmp_path), {"architecture": "c4b1", "steps": 3, "batch": 16} | BRIEF
    blocks = [[7, b"a" * 32], [8, b"b" * 32]]
    common: dict[str, Any] = {"config": "hex8-2", "out": out, "seed": SEED}
    with WorkerProcess() as worker:
        first = worker.done(job="selfplay", id=1, model=None, model_digest=MODEL, games=5, settings={}, **common)
        assert Path(first["shard"]).stem == hashlib.sha256(Path(first["shard"]).read_bytes()).hexdigest()
        assert (first["games"], len(first["root"])) == (5, 32)
        model = tmp_path / "model"
        trained = worker.done(
            job="train",
            id=2,
            config="hex8-2",
            parent=None,
            sibling=None,
            shards=[first["shard"]],
            seed=SEED,
            settings=settings,
            out=str(model),
        )
        assert trained["files"] == {name: str(model / name) for name in ("weights.safetensors", "config.json")}
        assert (trained["architecture"], trained["used"], trained["skipped"]) == ("c4b1", [0], [])
        assert not trained["is_sibling"]
        second = worker.done(
            job="selfplay", id=3, model=str(model), model_digest=MODEL, games=2, settings=SMALL, **common
        )
        assert second["games"] == 2
        worker.send(job="selfplay", id=9, model=None, model_digest=MODEL, games=500_000, settings={}, **common)
        while not (told := worker.receive())["progress"].get("games"):
            assert told["id"] == 9
        worker.send(enough=3)  # an earlier job
        worker.send(enough=9)
        while "progress" in (told := worker.receive()):
            pass
        assert 0 < told["done"]["games"] < 500_000
        match = {"config": "hex8-2", "blocks": blocks, "settings": SMALL | {"opening_plies": 4}}
        played = worker.done(job="match", id=4, candidate=str(model), incumbent=None, out=out, **match)
        assert [k for k, _ in played["scores"]] == [7, 8]
        assert played["games"] == 4
        check = {**match, "blob": played["blob"], "root": played["root"]}
        assert worker.done(job="check", id=5, scores=played["scores"], **check) == {"ok": True, "reason": ""}
        wrong = [[k, 4 - score] for k, score in played["scores"]]
        assert not worker.done(job="check", id=6, scores=wrong, **check)["ok"] or wrong == played["scores"]


def test_jobs_of_self_play_are_played_together_and_each_gets_what_it_gets_alone(
    small_network: Network, tmp_path: Path
) -> None:
    model = tmp_path / "model"
    save_model(model, small_network)
    settings = SelfPlaySettings(simulations=2, considered=2, concurrency=4)
    common: dict[str, Any] = {"job": "selfplay", "config": "hex8-2", "model": str(model), "model_digest": MODEL}
    common |= {"settings": SMALL | {"concurrency": 4}, "out": str(tmp_path)}
    seeds = {number: bytes([number]) * 32 for number in range(1, 8)}
    with WorkerProcess() as worker:
        worker.send(id=1, seed=seeds[1], games=10**5, **common)
        while not worker.receive()["progress"].get("games"):
            pass
        for number, games in ((2, 5), (3, 1), (4, 10**4)):
            worker.send(id=number, seed=seeds[number], games=games, **common)
        worker.send(id=5, seed=seeds[5], games=2, **common | {"settings": SMALL | {"simulations": 3}})
        worker.send(id=6, games=2, **common)
        worker.send(id=7, seed=seeds[7], games=2, **common)
        worker.send(drop=1)
        answers: dict[int, dict[str, Any]] = {}
        while len(answers) < 7:
            frame = worker.receive()
            if "progress" not in frame:
                answers[frame["id"]] = frame
            elif frame["id"] == 4 and frame["progress"].get("games"):
                worker.send(enough=4)
    assert "DroppedError" in answers[1]["error"]
    assert "needs the field 'seed'" in answers[6]["error"]
    assert list(answers).index(5) > list(answers).index(4)  # it is of another kind
    assert answers[2]["done"]["share"] < 1000
    for number in (2, 3, 4, 7):
        done = answers[number]["done"]
        alone = play_shard(
            config("hex8-2"), NetworkEvaluator(small_network), MODEL, seeds[number], done["games"], settings
        )
        assert Path(done["shard"]).name == write_shard(tmp_path / "alone", alone).path.name
        assert done["root"] == shard_root(alone)


def test_mistakes_are_one_line_and_the_worker_goes_on(tmp_path: Path) -> None:
    with WorkerProcess() as worker:
        assert worker.run(job="dance", id=1)["error"].startswith("ValueError: unknown job 'dance'")
        assert "needs the field 'blob'" in worker.run(job="check", id=2)["error"]
        selfplay = {"model": None, "model_digest": MODEL, "seed": SEED, "games": 1, "out": str(tmp_path)}
        settings = {"simulatoins": 1}
        error = worker.run(job="selfplay", id=3, config="hex8-2", settings=settings, **selfplay)["error"]
        assert "unknown setting 'simulatoins'" in error
        error = worker.run(job="selfplay", id=4, config="hex9-2", settings={}, **selfplay)["error"]
        assert "unknown configuration 'hex9-2'" in error


def test_ends_with_its_parent(tmp_path: Path) -> None:
    job = {"config": "hex8-2", "model": None, "model_digest": MODEL, "seed": SEED, "games": 10**6}
    with WorkerProcess() as worker:
        worker.send(job="selfplay", id=1, settings={}, out=str(tmp_path), **job)
        assert "progress" in worker.receive()
        assert worker.process.stdin is not None
        worker.process.stdin.close()
        assert worker.process.wait(timeout=5) == 1
    with WorkerProcess() as worker:
        assert "error" in worker.run(job="none", id=1)
        worker.process.send_signal(signal.SIGINT)  # Ctrl-C is for the parent to answer
        assert "error" in worker.run(job="none", id=2)
        assert worker.process.stdin is not None
        worker.process.stdin.close()
        assert worker.process.wait(timeout=5) == 0


def test_checking_and_uniform_games_need_no_torch() -> None:
    modules = "training.worker, training.jobs, training.check, training.selfplay"
    code = f"import sys, {modules}; print('torch' in sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, check=True)
    assert found.stdout.split() == [b"False"]


def test_a_process_that_lacks_memory_or_lost_its_gpu_says_that_it_is_broken() -> None:
    assert is_breaking(MemoryError())
    assert is_breaking(RuntimeError("CUDA error: an illegal memory access was encountered"))
    assert not is_breaking(ValueError("a selfplay job needs the field 'seed'"))
