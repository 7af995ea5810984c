"""The checkpoints of one job of training: at most one in a folder, at intervals and when the job is told to end.

What was written last is what the next attempt at the same training goes on from, in this process or in another one.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, Final

from training.arrays import DataError
from training.checkpoint_file import SUFFIX, Expected, read_checkpoint, write_checkpoint
from training.progress import Report, never
from training.stage import ObserveStage, Stage

INTERVAL_S: Final = 30.0
"""Time between two checkpoints: what a job that is killed has to do again, at most."""


class StoppedError(Exception):
    """The job was told to end before it was done. `steps` of `wanted` are in its checkpoint, 0 if there is none."""

    def __init__(self, steps: int, wanted: int) -> None:
        super().__init__(f"stopped after {steps} of {wanted} steps")
        self.steps, self.wanted = steps, wanted


class Checkpoints:
    """Writes checkpoints to `folder`, and finds there where to go on. Without a folder it does neither.

    `is_enough` tells whether the job is to end; then the next step or report raises StoppedError.
    """

    def __init__(
        self,
        folder: Path | None = None,
        is_enough: Callable[[], bool] = never,
        *,
        interval_s: float = INTERVAL_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._folder, self._is_enough = folder, is_enough
        self._interval_s, self._clock = interval_s, clock
        self._written_at = clock()
        self._expected: Expected | None = None
        self._found: list[Stage] = []
        self._written_steps = 0
        self._takes: list[Callable[[], Stage]] = []  # of each network that was begun
        self._is_current = True  # whether nothing has changed since the last one

    def find(self, expected: Expected) -> list[str]:
        """Look for a checkpoint of the training that is expected; return why files that are none were deleted."""
        self._expected = expected
        dropped: list[str] = []
        for path in self._files():
            try:
                self._found = read_checkpoint(path, expected)
                self._takes = [partial(_same, stage) for stage in self._found]
                self._written_steps = self.found_steps
                break
            except DataError as error:
                dropped.append(str(error))
                with suppress(OSError):
                    path.unlink()
        return dropped

    @property
    def found_steps(self) -> int:
        """How many steps in the checkpoint that was found."""
        return sum(stage.made for stage in self._found)

    def stage_of(self, number: int) -> Stage | None:
        """Return the stage in the checkpoint from which network `number` goes on; None if it is trained anew."""
        return self._found[number] if number < len(self._found) else None

    def observer_of(self, number: int) -> ObserveStage:
        """Return what is told of the stages of network `number`, after those of all networks before it."""
        return partial(self._observe, number)

    def stopping(self, report: Report) -> Report:
        """Return a Report that raises StoppedError once it is enough, after it has written a checkpoint."""

        def report_or_stop(progress: Mapping[str, Any]) -> None:
            report(progress)
            if self._folder is not None and self._is_enough():
                self._stop()

        return report_or_stop

    def drop(self) -> None:
        """Delete what is there: nothing good comes of it."""
        for path in self._files():
            with suppress(OSError):
                path.unlink()

    def _observe(self, number: int, take: Callable[[], Stage]) -> None:
        self._takes[number:] = [take]
        self._is_current = False
        if self._folder is not None and self._clock() - self._written_at >= self._interval_s:
            self._write()

    def _write(self) -> None:
        """Write a checkpoint and delete the one before. On a full disk that one stays, and the training goes on."""
        if self._is_current or self._folder is None or self._expected is None:
            return
        self._written_at = self._clock()
        stages = [take() for take in self._takes]
        try:
            stored = write_checkpoint(self._folder, self._expected.inputs, stages)
        except OSError as error:
            print(f"checkpoint not written: {error}", file=sys.stderr)
            return
        self._is_current, self._written_steps = True, sum(stage.made for stage in stages)
        for path in list(self._folder.iterdir()):  # also what a process left that was killed while it wrote
            if path != stored.path:
                with suppress(OSError):
                    path.unlink()

    def _stop(self) -> None:
        self._write()
        wanted = 0 if self._expected is None else self._expected.steps * self._expected.networks
        raise StoppedError(self._written_steps, wanted)

    def _files(self) -> list[Path]:
        """Return the files of checkpoints, the newest first: two, if the process was killed between them."""
        if self._folder is None or not self._folder.is_dir():
            return []
        files = [path for path in self._folder.iterdir() if path.suffix == SUFFIX]
        return sorted(files, key=lambda path: (path.stat().st_mtime_ns, path.name), reverse=True)


def _same(stage: Stage) -> Stage:
    return stage
