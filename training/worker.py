"""The worker process: it takes one job at a time over stdin, answers over stdout and ends with its parent.

`python -m training.worker [--nice N] [--kernels DIR]`. The parent sends {"job": kind, "id": int, ...}
(`training.jobs`); the worker answers with any number of {"id", "progress": {...}} and then one {"id", "done": {...}} or
{"id", "error": line, "broken": bool}. To stop a job, the parent kills the process; so it does if `broken` says that
later jobs would fail, too. {"enough": id} asks a job of self-play to end with the games that are over. Heavy imports
wait for the job that needs them, so a `check` runs without torch.

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
        """Prepare a worker that does its jobs with `run_job`, by default with `training.jobs.run_job`."""
        self._inputs, self._outputs = inputs, outputs
        self._run_job = run_job or partial(_do_training_job, is_enough=self._is_enough)
        self._writing = threading.Lock()
        self._requests: queue.Queue[dict[str, Any] | None] = queue.Queue()
        self._running: int | None = None
        self._ending: object = None  # the job that is to end with what it has
        self._progress: Mapping[str, Any] = {}
        self._reported = 0.0

    def run(self) -> None:
        """Serve until the inputs end; a job that still runs then is abandoned with the process."""
        threading.Thread(target=self._read, daemon=True).start()
        threading.Thread(target=self._beat, daemon=True).start()
        while (request := self._requests.get()) is not None:
            self._serve(request)

    def _read(self) -> None:
        try:
            while (frame := read_frame(self._inputs)) is not None:
                if "enough" in frame:
                    self._ending = frame["enough"]
                else:
                    self._requests.put(frame)
        except FrameError as error:
            print(f"worker: {error}", file=sys.stderr)
        if self._running is not None:
            os._exit(1)  # the parent is gone: nobody is left to take the job's result
        self._requests.put(None)

    def _is_enough(self) -> bool:
        return self._running is not None and self._running == self._ending

    def _beat(self) -> None:
        while True:
            time.sleep(HEARTBEAT_S / 2)
            job = self._running
            if job is not None and time.monotonic() - self._reported >= HEARTBEAT_S:
                self._send({"id": job, "progress": self._progress})

    def _serve(self, request: Mapping[str, Any]) -> None:
        job = request.get("id")
        if not isinstance(job, int):
            print("worker: a request without an id", file=sys.stderr)
            return
        self._progress, self._reported, self._running = {}, time.monotonic(), job
        answer = self._answer(job, request)
        self._running = None
        self._send({"id": job, **answer})

    def _answer(self, job: int, request: Mapping[str, Any]) -> dict[str, Any]:
        def report(progress: Mapping[str, Any]) -> None:
            self._progress = {**self._progress, **progress}
            if time.monotonic() - self._reported >= REPORT_S:
                self._send({"id": job, "progress": self._progress})

        try:
            with observing_compiling(lambda module: report({"compiling": module})):
                return {"done": self._run_job(request, report)}
        except Exception as error:
            traceback.print_exc(file=sys.stderr)
            line = " ".join(f"{type(error).__name__}: {error}".split())
            return {"error": line, "broken": is_breaking(error)}

    def _send(self, message: Mapping[str, Any]) -> None:
        with self._writing:
            self._reported = time.monotonic()
            try:
                write_frame(self._outputs, message)
            except BrokenPipeError:
                os._exit(1)


def is_breaking(error: Exception) -> bool:
    """Return whether later jobs of this process would fail, too: after most CUDA errors nothing runs on the device."""
    return isinstance(error, MemoryError) or "CUDA" in str(error)


def _do_training_job(request: Mapping[str, Any], report: Report, is_enough: Callable[[], bool]) -> dict[str, Any]:
    from training.jobs import run_job

    return run_job(request, report, is_enough)


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
