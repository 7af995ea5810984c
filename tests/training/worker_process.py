"""A worker process and the frames exchanged with it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any, BinaryIO, cast

from training.frames import read_frame, write_frame

ROOT = Path(__file__).parent.parent.parent


class WorkerProcess:
    """`python -m training.worker`, killed at the end of a `with` block."""

    def __enter__(self) -> WorkerProcess:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "training.worker", "--nice", "5"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=ROOT,
        )
        return self

    def __exit__(self, *_error: object) -> None:
        self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            assert pipe is not None
            pipe.close()

    def send(self, **message: Any) -> None:
        write_frame(cast(BinaryIO, self.process.stdin), message)

    def receive(self) -> dict[str, Any]:
        frame = read_frame(cast(BinaryIO, self.process.stdout))
        assert frame is not None, self.process.stderr and self.process.stderr.read().decode()
        return frame

    def run(self, **request: Any) -> dict[str, Any]:
        """Sends a job and returns its last frame; those before it must be progress."""
        self.send(**request)
        while "progress" in (frame := self.receive()):
            assert frame["id"] == request["id"]
        return frame

    def done(self, **request: Any) -> dict[str, Any]:
        frame = self.run(**request)
        assert set(frame) == {"id", "done"}, frame
        result: dict[str, Any] = frame["done"]
        return result
