"""The watchdog of a worker: a job whose progress stands still, or that takes far longer than its like, is killed.

A worker repeats its progress while nothing changes, so that it seems alive when it hangs. What counts is progress that
differs from the last one. It may stand still for `SILENT_S`; while kernels are compiled, which the worker tells, for
`COMPILING_S`. A worker whose progress goes on for ever is ended by the job's own time budget: `_SLACK` times what its
size takes by the rates that were measured here, and `SILENT_S` more, without the time for compiling. If nothing of the
kind was measured, and in any case, it is `longest_s`, after which no claim is live. A job that was ended so counts as
one that took so long: on a machine that has become slower the next one gets more time, and claims become smaller.
Where several jobs are done together (`training.play_jobs`), each is told its share of the work, and its time is that
share of what has passed.

Time in which this process itself did not run (the machine slept) does not count.
"""

from collections.abc import Mapping
from functools import partial
from typing import Any

import structlog
import trio

from node.system.tasks import run_unless
from node.work.rates import Rates, Size, size_of
from node.work.worker import JobRunner, Report, WorkError

_log = structlog.get_logger(__name__)

SILENT_S = 120.0
"""Progress may stand still for this long, as long as a lease of the default length."""

COMPILING_S = 600.0
"""It may for this long while kernels are compiled."""

_SLACK = 5.0
_LOOK_S = 1.0


class StuckError(WorkError):
    """The job was killed: its progress stood still, or its time was over."""


class LatestProgress:
    """What a job told last, and for how long it has told nothing else, by a clock of one's own in s."""

    def __init__(self) -> None:
        self._told: Mapping[str, Any] | None = None
        self._changed_s = 0.0

    def observe(self, progress: Mapping[str, Any], now_s: float) -> bool:
        """Take in what a job tells. Return whether it differs from what it told last."""
        if progress == self._told:
            return False
        self._told, self._changed_s = dict(progress), now_s
        return True

    @property
    def compiles(self) -> str:
        """The module whose kernels are being compiled; empty if none is."""
        return str((self._told or {}).get("compiling", ""))

    @property
    def share(self) -> float:
        """The job's part of what its process did while it ran: 1 unless there were others."""
        return share_of(self._told or {})

    def silent_s(self, now_s: float) -> float:
        """Return for how long nothing has changed."""
        return now_s - self._changed_s

    def is_compiling(self, now_s: float) -> bool:
        """Return whether kernels are compiled, and not for longer than that may take."""
        return bool(self.compiles) and self.silent_s(now_s) < COMPILING_S


def share_of(told: Mapping[str, Any]) -> float:
    """Return the part of the work of its process that a job tells, or its answer: it is told in thousandths."""
    share = told.get("share", 1000)
    return min(max(share, 1), 1000) / 1000 if isinstance(share, int) else 1.0


class WatchedRunner:
    """A job runner that passes on changed progress alone, and ends what is stuck. See `JobRunner`."""

    def __init__(self, runner: JobRunner, rates: Rates, longest_s: float) -> None:
        self._runner = runner
        self._rates = rates
        self._longest_s = longest_s

    async def perform(self, job: Mapping[str, Any], report: Report) -> Mapping[str, Any]:
        """See `JobRunner.perform`. Raise `StuckError` if the job had to be ended; then its process is gone, too."""
        size = size_of(job)
        watch = _Watch(self._budget_s(size), self._longest_s)
        done = await run_unless(
            partial(self._runner.perform, job, partial(watch.observe, report)),
            watch.run,
        )
        if done is None:
            _log.warning("job ended", job=size.kind, why=watch.reason)
            if watch.is_over_budget:
                self._rates.observe(size, watch.working_s)
            raise StuckError(watch.reason)
        if not _is_part(job, done):
            self._rates.observe(size, watch.spent_s * share_of(done))
        return done

    def _budget_s(self, size: Size) -> float:
        expected_s = self._rates.seconds(size)
        return self._longest_s if expected_s is None else SILENT_S + _SLACK * expected_s

    async def aclose(self) -> None:
        """See `JobRunner.aclose`."""
        await self._runner.aclose()


def _is_part(job: Mapping[str, Any], done: Mapping[str, Any]) -> bool:
    """Return whether only a part of the job was done in this attempt, so that its time says nothing."""
    if job.get("job") == "train":
        return "stopped" in done or bool(done.get("resumed"))
    return job.get("job") == "selfplay" and done.get("games") != job["games"]


class _Watch:
    """One job, looked at every `_LOOK_S`."""

    def __init__(self, budget_s: float, longest_s: float) -> None:
        self.reason = ""
        self.is_over_budget = False
        self._budget_s, self._longest_s = budget_s, longest_s
        self._began = trio.current_time()
        self._lost_s = 0.0  # in which this process did not run
        self._compiling_s = 0.0  # which comes only once
        self._latest = LatestProgress()

    @property
    def working_s(self) -> float:
        """How long the job has worked: its share of the time, without that for compiling."""
        return self.spent_s * self._latest.share

    @property
    def spent_s(self) -> float:
        """How long the job has run, without the time for compiling."""
        return self._now_s - self._compiling_s

    @property
    def _now_s(self) -> float:
        return trio.current_time() - self._began - self._lost_s

    def observe(self, report: Report, progress: Mapping[str, Any]) -> None:
        """Pass progress on if it has changed."""
        if self._latest.observe(progress, self._now_s):
            report(progress)

    async def run(self) -> None:
        """Return when the job has to be ended, and `reason` says why."""
        while not self.reason:
            before = trio.current_time()
            await trio.sleep(_LOOK_S)
            passed_s = trio.current_time() - before
            self._lost_s += max(0.0, passed_s - 2 * _LOOK_S)
            if self._latest.compiles:
                self._compiling_s += min(passed_s, 2 * _LOOK_S)
            self.reason = self._find_reason()

    def _find_reason(self) -> str:
        silent_s, module = self._latest.silent_s(self._now_s), self._latest.compiles
        if module and silent_s >= COMPILING_S:
            return f"has compiled {module} for {silent_s:.0f} s"
        if not module and silent_s >= SILENT_S:
            return f"no progress for {silent_s:.0f} s"
        self.is_over_budget = self.working_s >= self._budget_s or self._now_s >= self._longest_s
        if self.is_over_budget:
            return f"not done after {self._now_s:.0f} s, its time budget"
        return ""
