"""Replays reported slots, and remembers what this node found out about the games of each match."""

from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import trio

from consensus.ledger.records.cases import SlotReport
from node.system.tasks import run_unless
from node.work.context import WorkContext, failing_only_the_job
from node.work.digests import digest_file
from node.work.worker import JobRunner, WorkError

KEPT = 1024
"""Results whose findings are remembered: far more than the slots of all open matches."""

T = TypeVar("T")


class Replays:
    """Fetches games and has them replayed in `worker`, each reported slot once."""

    def __init__(self, context: WorkContext, worker: JobRunner) -> None:
        self._context = context
        self._worker = worker
        self._free = trio.Lock()  # a worker does one job at a time
        self._found: dict[bytes, str] = {}  # by the digest of the result
        self._begun: dict[bytes, trio.Lock] = {}  # by the same

    async def find(self, report: SlotReport) -> str:
        """Return "" if the slot is as it was reported, else one line that says what is wrong. Raise `WorkError`."""
        begun = self._begun.setdefault(report.digest, trio.Lock())
        try:
            async with begun:  # who asks meanwhile waits for what comes of it
                if report.digest not in self._found:
                    with failing_only_the_job():
                        self._found[report.digest] = await self._replay(report)
        finally:
            if not begun.locked():
                self._begun.pop(report.digest, None)
        found = self._found[report.digest]
        while len(self._found) > KEPT:
            del self._found[next(iter(self._found))]
        return found

    async def perform(self, job: Mapping[str, Any]) -> Mapping[str, Any]:
        """Have the worker do a job when it is free, and return its answer. Raise `WorkError`."""
        async with self._free:
            return await self._worker.perform(job, lambda _progress: None)

    async def _replay(self, report: SlotReport) -> str:
        result = report.result
        games = await self._context.fetch(result.blob, result.size)
        if (size := _size(games)) != result.size:
            wrong = f"the games have {size} bytes, but {result.size} were claimed"
        else:
            wrong = await self._check(report, games)
        if wrong and await _digest(games) != result.blob:
            raise WorkError(f"{games}: damaged on this disk; it is not the file of games that was fetched")
        return wrong

    async def _check(self, report: SlotReport, games: Path) -> str:
        done = await self.perform({"job": "check", "config": report.configuration, **as_job(report, games)})
        return "" if done["ok"] else str(done["reason"]) or "no reason given"


def as_job(report: SlotReport, games: Path) -> dict[str, Any]:
    """Return what a worker is to know of a reported slot with its games in this file."""
    return {
        "blob": str(games),
        "blocks": [list(block) for block in report.blocks],
        "scores": [list(score) for score in report.scores],
        "root": report.result.root,
        "settings": {"opening_plies": report.settings.opening_plies},
    }


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError as error:
        raise WorkError(f"{path}: cannot be read ({error.strerror or error})") from None


async def _digest(path: Path) -> bytes:
    """Return the SHA-256 of a file; only of what seems wrong, so that a broken disk accuses nobody."""
    try:
        return await digest_file(path)
    except OSError as error:
        raise WorkError(f"{path}: cannot be read ({error.strerror or error})") from None


async def unless_over(context: WorkContext, is_open: Callable[[], bool], work: Callable[[], Awaitable[T]]) -> T | None:
    """Return what `work` returns, or None if what it was done for was over before. Raise `WorkError`."""

    async def over() -> None:
        while is_open():
            await context.wait_for_advance(context.advances)

    return await run_unless(work, over)
