"""What the jobs of a worker slot compute with, and how a slot does without what failed."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import structlog

from node.config.swarm_file import MAX_TRAINING_PROCESSES
from node.system.device import CPU, Gpu
from node.work.worker import JobRunner, Report, WorkError

GPU_GAMES: Final = 4096
"""Games of self-play in flight on a GPU, as far as claims have so many: `FEW_GAMES` where memory is scarce."""

_DEVICE = "cuda"  # the first that the slot's process sees
_MOST_FAILURES = 3  # with the equipment in a row; then a slot does without it until the node starts again

_log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Equipment:
    """By how many processes a training of a slot computes (`training.team`), and on which GPUs: one each, or none.

    Self-play is on the first of the GPUs, if there is one (`training.device_playing`).
    """

    processes: int = 1
    gpus: tuple[str, ...] = ()  # their ids, that of the slot's own first

    def asked(self, job: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """Return a job that says so; None if it is done as usual."""
        kind, settings = job.get("job"), job.get("settings") or {}
        if kind == "selfplay" and self.gpus and job.get("model") is not None:
            return {**job, "device": _DEVICE, "settings": {"concurrency": GPU_GAMES, **settings}}
        if kind == "train" and (how := self.training_settings()):
            return {**job, "settings": {**settings, **how}}
        return None

    def training_settings(self) -> Mapping[str, Any]:
        """Return the settings of a training job that say so; none if it is as usual."""
        if self.gpus:
            ids = ",".join(self.gpus)
            return {"processes": len(self.gpus), "device": _DEVICE, "precision": "bfloat16", "gpus": ids}
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


class _Use:
    """Whether jobs of one kind use the equipment now, and how often they failed with it."""

    def __init__(self) -> None:
        self.running = 0
        self._failures = 0  # in a row
        self._is_plain = self._is_plain_next = False

    @property
    def is_given_up(self) -> bool:
        """Whether it is not tried any more."""
        return self._failures >= _MOST_FAILURES

    def begin(self, is_short_of_memory: bool) -> bool:
        """Return whether a job that begins now is a plain one: as those are that run, if any do."""
        if self.running == 0:
            self._is_plain = self._is_plain_next or self.is_given_up or is_short_of_memory
        self.running += 1
        return self._is_plain

    def observe_failure(self) -> bool:
        """Take in that a job with the equipment failed; return whether it is the first of those that fail together."""
        is_first, self._is_plain_next = not self._is_plain_next, True
        self._failures += is_first
        return is_first

    def observe_success(self, *, is_plain: bool) -> None:
        """Take in that a job was done."""
        if is_plain:
            self._is_plain_next = False
        else:
            self._failures = 0


class EquippedRunner:
    """A runner whose trainings and self-play compute with what a slot has. See `JobRunner`.

    After a job that failed the next one of its kind is a plain one, by one process on the CPU: what is wrong with the
    equipment, or with this program's use of it, must not keep a node from work. After that the equipment is tried
    again, a few times. It is not used where memory is scarce. Jobs that are done together are done alike.
    """

    def __init__(self, equipment: Equipment, runner: JobRunner, is_short_of_memory: Callable[[], bool]) -> None:
        self._equipment, self._runner, self._is_short_of_memory = equipment, runner, is_short_of_memory
        self._uses = {"train": _Use(), "selfplay": _Use()}

    async def perform(self, job: Mapping[str, Any], report: Report) -> Mapping[str, Any]:
        """See `JobRunner.perform`."""
        asked = self._equipment.asked(job)
        if asked is None:
            return await self._runner.perform(job, report)
        use = self._uses[job["job"]]
        is_plain = use.begin(self._is_short_of_memory())
        try:
            done = await self._runner.perform(job if is_plain else asked, report)
        except WorkError as trouble:
            if not is_plain and use.observe_failure():
                self._tell_failure(job["job"], use, trouble)
            raise
        finally:
            use.running -= 1
        use.observe_success(is_plain=is_plain)
        if not is_plain and self._equipment.gpus and done.get("device") == CPU:
            remedy = "install a build of torch for CUDA; worker.log says what is missing"
            _log.warning("a job was done on the CPU, though there is a GPU", kind=job["job"], remedy=remedy)
        return done

    async def aclose(self) -> None:
        """See `JobRunner.aclose`."""
        await self._runner.aclose()

    def _tell_failure(self, kind: str, use: _Use, trouble: WorkError) -> None:
        lasting = "until the node is restarted" if use.is_given_up else "once"
        which = {"processes": self._equipment.processes, "gpus": len(self._equipment.gpus)}
        _log.warning(
            "a job failed; the next is by one process on the CPU", kind=kind, lasting=lasting, why=str(trouble), **which
        )
