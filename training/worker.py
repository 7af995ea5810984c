"""The worker process: it takes jobs over stdin, answers over stdout and ends with its parent.

`python -m training.worker [--nice N] [--kernels DIR]`. The parent sends {"job": kind, "id": int, ...}
(`training.jobs`); the worker answers with any number of {"id", "progress": {...}} and then one {"id", "done": {...}} or
{"id", "error": line, "broken": bool}. It does one job after the other, except that jobs of self-play of one kind are
played together (`training.play_jobs`). To stop a job, the parent kills the process; so it does if `broken` says that
later jobs would fail, too. {"enough": id} asks a job of self-play to end with the games that are over, and a training
with a checkpoint; {"drop": id} lets one of several fail. Heavy imports wait for the job that needs them, so a `check`
runs without torch.

Progress holds the latest value of all that the job has told so far, and `compiling`, the module whose kernels are being
compiled ("" if none is). It is repeated while nothing changes. So a frame says that the process lives; only one that
differs from the last one says that the job goes on (`node.work.watchdog`).

The end of stdin ends the process: however the parent dies, the kernel closes its end of the pipe. (Linux's
PR_SET_PDEATHSIG would not do: it fires when the thread that started the worker ends, not the process, and trio
starts processes in threads that come and go.)
"""

from __future__ import annotations

import argparse
import contextlib
import math
import os
import queue
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, Final

from engine.backend.compiling import observing_compiling
from engine.backend.kernel_cache import add_fallback
from training.frames import FrameError, read_frame, write_frame
from training.progress import Report
from training.running import DroppedError, RunningJob, Take

RunJob = Callable[[Mapping[str, Any], Report], dict[str, Any]]
"""Does the job of a request and returns its answer; what it raises becomes the error of that job."""

REPORT_S: Final = 1.0
"""Least time between two progress frames."""

_OOM_SCORE: Final = Path("/proc/self/oom_score_adj")
_FIRST_TO_KILL: Final = "500"
"""Of 1000: where the machine runs out of memory, the kernel ends a job and not the node."""

HEARTBEAT_S: Final = 2.0
"""If a job reports nothing for this long, its last progress is repeated, so that `compiling` gets through."""


class Worker:
    """The loop of a worker, which runs the jobs that arrive on `inputs` and answers on `outputs`."""

    def __init__(self, inputs: BinaryIO, outputs: BinaryIO, run_job: RunJob | None = None) -> None:
        """Prepare a worker that does its jobs with `run_job`, by default as `training.jobs` does."""
        self._inputs = inputs
        self._out = _Answers(outputs)
        self._run_job = _run_training_job if run_job is None else partial(_run_alone, run_job)
        self._requests: queue.Queue[dict[str, Any] | None] = queue.Queue()
        self._next: dict[str, Any] | None = None  # taken from the queue, to be done after what runs now
        self._enough: set[int] = set()
        self._dropped: set[int] = set()
        self._open: set[int] = set()  # jobs without an answer

    def run(self) -> None:
        """Serve until the inputs end; a job that still runs then is abandoned with the process."""
        threading.Thread(target=self._read, daemon=True).start()
        threading.Thread(target=self._out.beat, daemon=True).start()
        with observing_compiling(lambda module: self._out.report_to_all({"compiling": module})):
            while (request := self._wait_for_request()) is not None:
                self._serve(request)

    def _read(self) -> None:
        try:
            while (frame := read_frame(self._inputs)) is not None:
                self._receive(frame)
        except FrameError as error:
            print(f"worker: {error}", file=sys.stderr)
        if self._out.has_jobs:
            os._exit(1)  # the parent is gone: nobody is left to take the job's result
        self._requests.put(None)

    def _receive(self, frame: dict[str, Any]) -> None:
        if "enough" in frame:
            self._enough |= self._open & {frame["enough"]}
        elif "drop" in frame:
            self._dropped |= self._open & {frame["drop"]}
        elif isinstance(frame.get("id"), int):
            self._open.add(frame["id"])
            self._requests.put(frame)
        else:
            print("worker: a request without an id", file=sys.stderr)

    def _wait_for_request(self) -> dict[str, Any] | None:
        request, self._next = self._next, None
        return self._requests.get() if request is None else request

    def _serve(self, request: dict[str, Any]) -> None:
        job = self._begin(request)
        try:
            if job.is_dropped():
                raise DroppedError("nobody waits for it")
            self._run_job(job, self._take)
        except Exception as error:
            job.fail(error)

    def _take(self, fits: Callable[[Mapping[str, Any]], bool]) -> RunningJob | None:
        """Return the next job, begun, if there is one and it fits; later ones wait for their turn."""
        if self._next is None:
            try:
                self._next = self._requests.get_nowait()
            except queue.Empty:
                return None
            if self._next is None:  # the end of the inputs, for `run` to see
                self._requests.put(None)
        if self._next is None or not fits(self._next):
            return None
        request, self._next = self._next, None
        return self._begin(request)

    def _begin(self, request: dict[str, Any]) -> RunningJob:
        number: int = request["id"]
        self._out.begin(number)
        return RunningJob(
            request=request,
            report=partial(self._out.report, number),
            is_enough=lambda: number in self._enough,
            is_dropped=lambda: number in self._dropped,
            answer=lambda done: self._end(number, {"done": done}),
            fail=partial(self._fail, number),
        )

    def _fail(self, number: int, error: Exception) -> None:
        traceback.print_exception(error, file=sys.stderr)
        line = " ".join(f"{type(error).__name__}: {error}".split())
        self._end(number, {"error": line, "broken": is_breaking(error)})

    def _end(self, number: int, answer: Mapping[str, Any]) -> None:
        if number not in self._open:
            return
        for numbers in (self._open, self._enough, self._dropped):
            numbers.discard(number)
        self._out.end(number, answer)


class _Answers:
    """What the worker says of the jobs that it runs: their progress, at most once in `REPORT_S` each, and answers."""

    def __init__(self, outputs: BinaryIO) -> None:
        self._outputs = outputs
        self._writing = threading.Lock()
        self._progress: dict[int, Mapping[str, Any]] = {}
        self._told: dict[int, float] = {}  # when each told something last

    @property
    def has_jobs(self) -> bool:
        """Whether a job runs."""
        return bool(self._progress)

    def begin(self, job: int) -> None:
        """Tell the progress of a job from now on."""
        self._told[job] = time.monotonic()
        self._progress[job] = {}

    def report(self, job: int, progress: Mapping[str, Any]) -> None:
        """Add to the progress of a job."""
        self._progress[job] = {**self._progress[job], **progress}
        if time.monotonic() - self._told[job] >= REPORT_S:
            self._tell(job)

    def report_to_all(self, progress: Mapping[str, Any]) -> None:
        """Add to the progress of every job."""
        for job in tuple(self._progress):
            self.report(job, progress)

    def end(self, job: int, answer: Mapping[str, Any]) -> None:
        """Send a job's answer."""
        del self._progress[job], self._told[job]
        self._send({"id": job, **answer})

    def beat(self) -> None:
        """Repeat the progress of jobs that tell nothing, for ever."""
        while True:
            time.sleep(HEARTBEAT_S / 2)
            for job in tuple(self._progress):
                if time.monotonic() - self._told.get(job, math.inf) >= HEARTBEAT_S:
                    self._tell(job)

    def _tell(self, job: int) -> None:
        progress = self._progress.get(job)
        if progress is not None:
            self._told[job] = time.monotonic()
            self._send({"id": job, "progress": progress})

    def _send(self, message: Mapping[str, Any]) -> None:
        with self._writing:
            try:
                write_frame(self._outputs, message)
            except BrokenPipeError:
                os._exit(1)


def is_breaking(error: Exception) -> bool:
    """Return whether later jobs of this process would fail, too: after most CUDA errors nothing runs on the device."""
    return isinstance(error, MemoryError) or "CUDA" in str(error)


def _run_training_job(job: RunningJob, take: Take) -> None:
    from training import jobs

    if job.request.get("job") == "selfplay":
        from training.play_jobs import play_jobs

        play_jobs(job, take)
    else:
        job.answer(jobs.run_job(job.request, job.report, job.is_enough))


def _run_alone(run_job: RunJob, job: RunningJob, _take: Take) -> None:
    job.answer(run_job(job.request, job.report))


def main(run_job: RunJob | None = None) -> int:
    """Run a worker on stdin and stdout until stdin ends; return 0. The options are on the command line."""
    parser = argparse.ArgumentParser(prog="training.worker", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--nice", type=int, default=0, help="niceness to add to this process")
    parser.add_argument(
        "--kernels", type=Path, help="folder for compiled kernels, if the user's cache cannot be written"
    )
    arguments = parser.parse_args()
    if arguments.kernels is not None:
        add_fallback(arguments.kernels)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent decides
    with contextlib.suppress(OSError):
        os.nice(arguments.nice)
    with contextlib.suppress(OSError):
        _OOM_SCORE.write_text(_FIRST_TO_KILL)
    inputs = os.fdopen(os.dup(0), "rb")
    outputs = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # output that a library prints must not land between two frames
    Worker(inputs, outputs, run_job).run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
