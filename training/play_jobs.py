"""The self-play jobs of a worker: those of one kind share a pool (`training.pool`), and each is answered when it ends.

Two jobs are of one kind if their configuration, model and settings are the same, but for `concurrency`: that of the
newest job is the size of the pool. A job's progress tells `room` (1 if another job should come) and `share`: its part
of the pool's moves since it came, in thousandths, so that its time can be told from that of others. The progress of one
of the jobs also shows a game that is played (`training.watched`). Random games of the built-in model are played without
a pool, on the host; they are a hundred times as fast, and none is shown.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from engine.config import config
from training.device_playing import OnDevice
from training.evaluations import Evaluations, use_one_thread
from training.facts import facts_of
from training.play_devices import network_on
from training.pool import PoolJob, SelfPlayPool
from training.progress import Report, never
from training.replay import Verified, replay_games
from training.running import DroppedError, Request, RunningJob, Take, require_fields
from training.selfplay import play_shard, shard_of
from training.settings import SelfPlaySettings, read_settings
from training.shard import Shard, shard_root, write_shard
from training.watched import Pace, Seen, show

_FIELDS = "config model model_digest seed games settings out"
_SIZE = "concurrency"
HOST = "cpu"
"""The device of a job that is played on the host."""


def play_jobs(first: RunningJob, take: Take) -> None:
    """Play the games of `first`, and of those that `take` returns meanwhile; answer each of them, or let it fail."""
    try:
        require_fields(first.request, _FIELDS)
        if first.request["model"] is None:
            _play_at_random(first)
            return
        shared = _Shared(first.request)
    except Exception as error:
        first.fail(error)
        return
    shared.run(first, take)


def play_alone(request: Request, report: Report, is_enough: Callable[[], bool] = never) -> dict[str, Any]:
    """Play the games of one job and return its answer. Raise what it fails with."""
    answers: list[dict[str, Any]] = []
    errors: list[Exception] = []
    job = RunningJob(
        request=request,
        report=report,
        is_enough=is_enough,
        is_dropped=never,
        answer=answers.append,
        fail=errors.append,
    )
    play_jobs(job, lambda _fits: None)
    if errors:
        raise errors[0]
    return answers[0]


def _play_at_random(job: RunningJob) -> None:
    request = job.request
    shard = play_shard(
        config(request["config"]),
        None,
        model=request["model_digest"],
        seed=request["seed"],
        games=request["games"],
        settings=_settings_of(request),
        report=job.report,
        is_enough=lambda: job.is_enough() or job.is_dropped(),
    )
    job.answer(_answer_of(job, shard, share=1000, device=HOST))


class _Shared:
    """The jobs that share a pool now."""

    def __init__(self, request: Request) -> None:
        self._config, self._settings = config(request["config"]), _settings_of(request)
        self._kind = _kind_of(request)
        self._jobs: list[tuple[RunningJob, PoolJob]] = []
        there = _on_device(request)
        self._device = HOST if there is None else there.device.name
        evaluate = Evaluations(self.report).by(request["model"]) if there is None else there
        assert evaluate is not None  # random games need no pool
        self._pool = SelfPlayPool(self._config, evaluate, self._settings)
        self._pace = Pace()

    def report(self, progress: Mapping[str, Any]) -> None:
        """Tell what concerns the whole pool in the progress of every job."""
        for job, _ in self._jobs:
            job.report(progress)

    def run(self, first: RunningJob, take: Take) -> None:
        """Play until no job is left. What fails in the pool fails all its jobs."""
        self._add(first)
        while self._jobs:
            try:
                while self._pool.has_room and (job := take(self._fits)) is not None:
                    self._add(job)
                ended = self._end_early() + self._pool.step(self._show if self._pace.is_due else None)
                self._tell()
                for played in ended:
                    self._answer(played)
            except Exception as error:
                self._fail_all(error)
                return

    def _fits(self, request: Request) -> bool:
        return _kind_of(request) == self._kind

    def _add(self, job: RunningJob) -> None:
        request = job.request
        try:
            require_fields(request, _FIELDS)
            self._pool.places = _settings_of(request).concurrency
            self._jobs.append((job, self._pool.add(request["seed"], request["games"])))
        except Exception as error:
            job.fail(error)

    def _end_early(self) -> list[PoolJob]:
        """Take jobs out of the pool: those that are dropped, and those that are to end with what they have.

        Return the latter.
        """
        for job, played in [entry for entry in self._jobs if entry[0].is_dropped()]:
            self._pool.drop(played)
            self._jobs.remove((job, played))
            job.fail(DroppedError("nobody waits for it"))
        enough = [played for job, played in self._jobs if job.is_enough()]
        for played in enough:
            self._pool.drop(played)
        return enough

    def _show(self, played: PoolJob, seen: Seen) -> None:
        """Tell a move of one game in the progress of its job, and no older one in that of others."""
        with self._pace.looking():
            shown = show(self._config, seen)
        for job, other in self._jobs:
            job.report({"game": shown if other is played else None})

    def _tell(self) -> None:
        room = int(self._pool.has_room)
        for job, played in self._jobs:
            job.report(
                {
                    "games": len(played.done),
                    "wanted": played.wanted,
                    "plies": played.plies,
                    "share": played.share,
                    "room": room,
                }
            )

    def _answer(self, played: PoolJob) -> None:
        job = next(job for job, other in self._jobs if other is played)
        try:
            shard = shard_of(self._config, job.request["model_digest"], played, self._settings)
            answer = _answer_of(job, shard, share=played.share, device=self._device)
        except Exception as error:
            job.fail(error)
        else:
            job.answer(answer)
        self._jobs = [(other, of_pool) for other, of_pool in self._jobs if of_pool is not played]

    def _fail_all(self, error: Exception) -> None:
        for job, _ in self._jobs:
            job.fail(error)


def _on_device(request: Request) -> OnDevice | None:
    """Return the request's network on its device; None if it names none, or one that cannot be used."""
    if request.get("device") is None:
        return None
    use_one_thread()
    return network_on(request["device"], request["model"])


def _kind_of(request: Request) -> tuple[object, ...]:
    settings = request.get("settings")
    given = dict(settings) if isinstance(settings, Mapping) else {}
    given.pop(_SIZE, None)
    return tuple(request.get(name) for name in ("job", "config", "model", "model_digest", "device")) + tuple(
        sorted(given.items())
    )


def _settings_of(request: Request) -> SelfPlaySettings:
    return read_settings(SelfPlaySettings, request["settings"])


def _answer_of(job: RunningJob, shard: Shard, *, share: int, device: str) -> dict[str, Any]:
    """Write a job's shard and return what it answers."""
    stored = write_shard(Path(job.request["out"]), shard)
    return {
        "shard": str(stored.path),
        "games": len(shard.lengths),
        "plies": len(shard.moves),
        "root": shard_root(shard),
        "facts": _facts(shard, job.report) if job.request.get("facts") else None,
        "share": share,
        "device": device,
    }


def _facts(shard: Shard, report: Report) -> dict[str, int]:
    """Return the facts of a shard that was just played, which its games are replayed for."""
    replayed = replay_games(config(shard.config), shard.moves, shard.lengths, report)
    return asdict(facts_of(Verified(shard, replayed)))
