"""Where a node keeps the checkpoint of a training: one for each configuration and family, beside its plan."""

import hashlib
import shutil
from contextlib import suppress
from pathlib import Path

import structlog

from engine.files import read_regular
from node.system.files import clear_place, write_atomically
from node.work.training_plans import PLAN_MAX_BYTES, PlanError, TrainingPlan, TrainingSubject, decode_plan

SUFFIX = ".safetensors"

MOST_ATTEMPTS = 3
"""At going on from one checkpoint: what ended them may be in its training, and would end all further ones."""

_PLAN = "plan"
_ATTEMPTS = "attempts"
_MAX_ATTEMPTS_BYTES = 256
_STEPS = "steps"  # the folder in which the worker writes checkpoints

_log = structlog.get_logger(__name__)


class CheckpointFolder:
    """The folder of one configuration and family, with at most one checkpoint, and the plan of its training."""

    def __init__(self, parent: Path, configuration: str, family: str) -> None:
        name = hashlib.sha256(f"{configuration} {family}".encode()).hexdigest()[:8]
        self._folder = parent / f"{configuration}-{name}"

    def find(self, subject: TrainingSubject) -> TrainingPlan | None:
        """Return the plan of an interrupted training of a subject; None if there is none with a checkpoint."""
        newest = self.newest()
        if newest is None:
            return None
        if self._attempts(newest.name) >= MOST_ATTEMPTS:
            why = f"nothing came of {MOST_ATTEMPTS} attempts to go on from it"
            _log.warning("checkpoint dropped", path=str(self._folder), why=why)
            self.clear()
            return None
        try:
            plan = decode_plan(read_regular(self._folder / _PLAN, PLAN_MAX_BYTES))
        except (OSError, PlanError) as error:
            _log.warning("checkpoint dropped", path=str(self._folder), why=f"its plan cannot be read: {error}")
            return None
        return plan if plan.subject == subject else None

    def begin(self, plan: TrainingPlan) -> Path:
        """Return the folder for checkpoints of an attempt at a training; those of others are deleted. Raise OSError."""
        data = plan.encode()
        if self._read() != data:
            self.clear()
            self._folder.mkdir(parents=True, exist_ok=True)
            write_atomically(self._folder / _PLAN, data)
        elif (newest := self.newest()) is not None:
            attempt = f"{newest.name} {self._attempts(newest.name) + 1}"
            write_atomically(self._folder / _ATTEMPTS, attempt.encode())
        return self._folder / _STEPS

    def take(self, plan: TrainingPlan, checkpoint: Path, digest: bytes) -> None:
        """Take a copy of the checkpoint of a training that somebody else has begun. Raise OSError."""
        steps = self.begin(plan)
        steps.mkdir(exist_ok=True)
        shutil.copyfile(checkpoint, steps / f"{digest.hex()}{SUFFIX}")

    def newest(self) -> Path | None:
        """Return the newest checkpoint; None if there is none."""
        try:
            files = [path for path in (self._folder / _STEPS).iterdir() if path.suffix == SUFFIX]
            return max(files, key=lambda path: path.stat().st_mtime_ns, default=None)
        except OSError:
            return None

    def clear(self) -> None:
        """Delete all of it."""
        with suppress(OSError):
            clear_place(self._folder)

    def _attempts(self, name: str) -> int:
        """Return how often a training has begun to go on from a checkpoint."""
        try:
            words = read_regular(self._folder / _ATTEMPTS, _MAX_ATTEMPTS_BYTES).decode().split()
            return int(words[1]) if words[0] == name else 0
        except (OSError, ValueError, IndexError):
            return 0

    def _read(self) -> bytes | None:
        try:
            return read_regular(self._folder / _PLAN, PLAN_MAX_BYTES)
        except OSError:
            return None
