"""A job runner for virtual time: jobs take seconds of trio's clock, their results are made up."""

import hashlib
import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import trio

from consensus.settings import players
from node.work.worker import Report, WorkError

SECONDS = {"selfplay": 8.0, "train": 10.0, "match": 6.0, "rate": 4.0, "check": 0.5, "check_shard": 0.5}
STEPS = 4


class FakeWorker:
    """`JobRunner` that appends every job to `jobs`; models and games are random bytes.

    `strength` is the probability that a candidate wins a game of a match, `failing` that a job fails at a step.
    Results depend on `chance` alone, except those of checks: a check compares the scores, seeds and root that it
    is given with those that the games file holds.
    """

    def __init__(
        self,
        chance: random.Random,
        directory: Path,
        jobs: list[Mapping[str, Any]],
        *,
        strength: float = 0.9,
        failing: float = 0.0,
    ) -> None:
        self._chance = chance
        self._directory = directory
        self.jobs = jobs
        self._strength = strength
        self._failing = failing

    async def perform(self, job: Mapping[str, Any], report: Report) -> Mapping[str, Any]:
        """See `JobRunner.perform`."""
        kind = job["job"]
        self.jobs.append(job)
        for step in range(STEPS):
            await trio.sleep(SECONDS[kind] / STEPS * self._chance.uniform(0.5, 1.5))
            report({"games": step})
            if self._chance.random() < self._failing:
                raise WorkError("worker process ended: killed by SIGKILL")
        results = {
            "selfplay": self._play,
            "train": self._train,
            "match": self._match,
            "rate": self._match,
            "check": _check,
            "check_shard": _check_shard,
        }
        return results[kind](job)

    async def aclose(self) -> None:
        """See `JobRunner.aclose`."""
        await trio.lowlevel.checkpoint()

    def _play(self, job: Mapping[str, Any]) -> Mapping[str, Any]:
        shard = self._write(self._chance.randbytes(64))
        facts = fake_facts(job["games"], is_random=job["model"] is None) if job.get("facts") else None
        plies = 100 * job["games"]
        return {"shard": shard, "games": job["games"], "plies": plies, "root": self._digest(), "facts": facts}

    def _train(self, job: Mapping[str, Any]) -> Mapping[str, Any]:
        names = ("config.json", "weights.safetensors")
        files = {name: self._write(self._chance.randbytes(64)) for name in names}
        architecture = job["settings"]["architecture"]
        wrong = [_not_as_announced(said) for said in job.get("announced") or [None] * len(job["shards"])]
        return {
            "files": files,
            "architecture": architecture,
            "losses": {"policy": 1},
            "measures": {"brier": 190_000},
            "state": self._write(self._chance.randbytes(64)),
            "used": [place for place, reason in enumerate(wrong) if not reason],
            "skipped": [reason for reason in wrong if reason],
            "is_sibling": job["sibling"] is not None and self._chance.random() < 0.5,
        }

    def _match(self, job: Mapping[str, Any]) -> Mapping[str, Any]:
        count = players(job["config"])
        scores = [[block, sum(self._score(count) for _ in range(count))] for block, _seed in job["blocks"]]
        games = fake_games(scores, job["blocks"]) + self._chance.randbytes(16)
        root = hashlib.sha256(games).digest()
        return {"scores": scores, "root": root, "blob": self._write(games), "games": count * len(scores)}

    def _score(self, count: int) -> int:
        """Return the score of a game that one of `count` players wins; the others share the last place."""
        return 2 * (count - 1) if self._chance.random() < self._strength else count - 2

    def _write(self, data: bytes) -> str:
        path = self._directory / hashlib.sha256(data).hexdigest()
        path.write_bytes(data)
        return str(path)

    def _digest(self) -> bytes:
        return self._chance.randbytes(32)


def fake_facts(games: int, *, is_random: bool) -> dict[str, int]:
    """Return the facts of a shard of so many made-up games (`training.facts.ShardFacts`)."""
    searched = 0 if is_random else 60 * games
    entropy, error = (0, 0) if is_random else (1500, 180_000)
    return {
        "searched": searched,
        "decisive": games,
        "forced": 10 * games,
        "openings": games,
        "duplicates": 0,
        "entropy": entropy,
        "value_error": error,
    }


def _check_shard(job: Mapping[str, Any]) -> Mapping[str, Any]:
    wrong = _not_as_announced(job["announced"])
    return {"ok": not wrong, "reason": wrong}


def _not_as_announced(said: Mapping[str, Any] | None) -> str:
    """Return why a shard of made-up games is not what was announced; "" if it is, or if nothing can be compared."""
    if said is None:
        return ""
    facts = fake_facts(said["games"], is_random=said["is_random"])
    wrong = [name for name, found in facts.items() if said["facts"][name] != found]
    return f"{wrong[0]} is not what was announced" if wrong else ""


def fake_games(scores: Sequence[Sequence[int]], blocks: Sequence[Sequence[Any]]) -> bytes:
    """Return the beginning of a games file with these scores of the blocks, and a hash of the blocks' seeds."""
    return bytes(score for _, score in scores) + hashlib.sha256(b"".join(seed for _, seed in blocks)).digest()


def _check(job: Mapping[str, Any]) -> Mapping[str, Any]:
    games = Path(job["blob"]).read_bytes()
    expected = fake_games(job["scores"], job["blocks"])
    count = len(job["scores"])
    if games[:count] != expected[:count]:
        return {"ok": False, "reason": "the games have other scores"}
    if games[: len(expected)] != expected:
        return {"ok": False, "reason": "not the openings of the blocks' seeds"}
    ok = hashlib.sha256(games).digest() == job["root"]
    return {"ok": ok, "reason": "" if ok else "the games' Merkle root is not the one claimed"}
