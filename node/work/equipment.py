"""What the trainings of a worker slot compute with, and how a slot does without what failed."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import structlog

from node.config.swarm_file import MAX_TRAINING_PROCESSES
from node.system.device import CPU, Gpu
from node.work.worker import JobRunner, Report, WorkError

_MOST_FAILURES = 3  # of a team in a row; then the slot trains alone until the node starts again

_log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Equipment:
    """By how many processes a training of a slot computes (`training.team`), and on which GPUs: one each, or none."""

    processes: int = 1
    gpus: tuple[str, ...] = ()  # their ids, that of the slot's own first

    def settings(self) -> Mapping[str, Any]:
        """Return the settings of a training job that say so; none if it is as usual."""
        if self.gpus:
            ids = ",".join(self.gpus)
            return {"processes": len(self.gpus), "device": "cuda", "precision": "bfloat16", "gpus": ids}
        return {"processes": self.processes} if self.processes > 1 else {}


ALONE: Final = Equipment()


def plan_equipment(own: Gpu | None, gpus: Sequence[Gpu], wished: int | None) -> Equipment:
    """Return what a slot trains with on a machine of some GPUs: its own and then the others, one process each.

    Without a GPU of its own it is as many processes as are wished for, by default one. The other GPUs belong to other
    slots, which go on playing: the processes of a GPU take turns.
    """
    if own is None:
        return Equipment(wished or 1)
    ids = [own.uuid, *(gpu.uuid for gpu in gpus if gpu != own)]
    return Equipment(gpus=tuple(ids[: wished or MAX_TRAINING_PROCESSES]))


class TrainingRunner:
    """A runner whose trainings compute with what a slot has. See `JobRunner`.

    The training after one that failed is a plain one, by one process on the CPU: what is wrong with the equipment, or
    with this program's use of it, must not keep a node from training. After that the equipment is tried again, a few
    times. It is not used where memory is scarce.
    """

    def __init__(self, equipment: Equipment, runner: JobRunner, is_short_of_memory: Callable[[], bool]) -> None:
        self._equipment, self._runner, self._is_short_of_memory = equipment, runner, is_short_of_memory
        self._failures = 0  # with the equipment, in a row
        self._is_plain_next = False

    async def perform(self, job: Mapping[str, Any], report: Report) -> Mapping[str, Any]:
        """See `JobRunner.perform`."""
        settings = self._equipment.settings() if job.get("job") == "train" else {}
        if not settings:
            return await self._runner.perform(job, report)
        is_plain = self._is_plain_next or self._failures >= _MOST_FAILURES or self._is_short_of_memory()
        try:
            asked = {} if is_plain else settings
            done = await self._runner.perform({**job, "settings": {**job["settings"], **asked}}, report)
        except WorkError as trouble:
            if not is_plain:
                self._observe_failure(trouble)
            raise
        self._is_plain_next = False
        if not is_plain:
            self._failures = 0
            self._observe_device(done)
        return done

    async def aclose(self) -> None:
        """See `JobRunner.aclose`."""
        await self._runner.aclose()

    def _observe_device(self, done: Mapping[str, Any]) -> None:
        if self._equipment.gpus and done.get("device") == CPU:
            remedy = "install a build of torch for CUDA; worker.log says what is missing"
            _log.warning("trained on the CPU, though there is a GPU", remedy=remedy)

    def _observe_failure(self, trouble: WorkError) -> None:
        self._failures += 1
        self._is_plain_next = True
        lasting = "until the node is restarted" if self._failures >= _MOST_FAILURES else "once"
        with_what = dict(self._equipment.settings())
        _log.warning(
            "training failed; the next is by one process on the CPU", lasting=lasting, why=str(trouble), **with_what
        )
