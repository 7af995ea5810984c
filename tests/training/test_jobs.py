"""Jobs, in this process; over real pipes they are in tests/training/test_worker.py."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.training.conftest import MODEL, SEED
from training.arrays import DataError
from training.jobs import run_job
from training.progress import ignore_progress


def test_training_says_which_shards_it_used(tmp_path: Path) -> None:
    """A damaged file, one that is missing, and games of another configuration are skipped, each with its reason."""
    selfplay: dict[str, Any] = {"model": None, "model_digest": MODEL, "seed": SEED, "games": 2, "settings": {}}
    brief = {"architecture": "c4b1", "steps": 1, "batch": 4, "first_steps": 1, "first_networks": 1}
    common: dict[str, Any] = {
        "job": "train",
        "config": "hex8-2",
        "parent": None,
        "sibling": None,
        "seed": SEED,
        "settings": brief | {"measured_blocks": 0},
    }
    good, foreign = (
        Path(run_job({"job": "selfplay", "config": name, "out": str(tmp_path), **selfplay}, ignore_progress)["shard"])
        for name in ("hex8-2", "square8-2")
    )
    damaged = tmp_path / "damaged"
    data = bytearray(good.read_bytes())
    data[-1] ^= 1
    damaged.write_bytes(data)
    shards = [str(path) for path in (damaged, good, tmp_path / "missing", foreign, good)]
    trained = run_job({"shards": shards, "out": str(tmp_path / "model"), **common}, ignore_progress)
    assert trained["used"] == [1, 4]
    assert [reason.split(":")[0] for reason in trained["skipped"]] == ["damaged", "missing", foreign.name]
    bad = [shard for shard in shards if shard != str(good)]
    with pytest.raises(DataError, match=r"^none of the 3 shards can be trained on: damaged: ") as raised:
        run_job({"shards": bad, "out": str(tmp_path / "none"), **common}, ignore_progress)
    assert "missing: cannot be read" in str(raised.value)
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize(("player", "opponent"), [("search", "random"), ("policy", "heuristic"), ("search", "model")])
def test_rating_games_are_those_of_the_players_and_can_be_checked(tmp_path: Path, player: str, opponent: str) -> None:
    blocks = [[0, bytes([1]) * 32], [1, bytes([2]) * 32]]
    settings = {"simulations": 2, "considered": 2, "opening_plies": 4}
    job: dict[str, Any] = {
        "job": "rate", "config": "square8-2", "model": None, "player": player, "opponent": opponent,
        "opponent_model": None, "blocks": blocks, "settings": settings, "out": str(tmp_path),
    }  # fmt: skip
    done = run_job(job, ignore_progress)
    assert done["games"] == 4
    assert [number for number, _ in done["scores"]] == [0, 1]
    check = {
        "job": "check", "config": "square8-2", "blob": done["blob"], "blocks": blocks, "scores": done["scores"],
        "root": done["root"], "settings": {"opening_plies": 4},
    }  # fmt: skip
    assert run_job(check, ignore_progress) == {"ok": True, "reason": ""}


def test_an_unknown_opponent_is_named(tmp_path: Path) -> None:
    job: dict[str, Any] = {
        "job": "rate", "config": "square8-2", "model": None, "player": "search", "opponent": "oracle",
        "opponent_model": None, "blocks": [], "settings": {}, "out": str(tmp_path),
    }  # fmt: skip
    with pytest.raises(ValueError, match=r"^unknown opponent 'oracle': expected one of \['heuristic', "):
        run_job(job, ignore_progress)
