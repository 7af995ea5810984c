"""The worker slots of this machine: how many there are, on which device each is, and what it does now.

A slot is a place for one job at a time, with a worker process of its own. So a job that crashes, runs out of memory or
breaks its GPU ends one slot's process and nothing else. (Slots of matches and series are something else: they are parts
of what is played, in the ledger.)
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from node.config.swarm_file import MAX_SLOTS
from node.system.device import CPU, Gpu
from node.work.backoff import Backoff
from node.work.context import WorkProgress
from node.work.equipment import ALONE, Equipment, EquippedRunner, plan_equipment
from node.work.limits import FEW_GAMES, SLOT_WORDS
from node.work.worker import JobRunner, Report, WorkerProcess

CORES_OF_SLOT = 2
"""For each slot without a GPU. A job computes with one thread; the node, its checks and players need the rest."""

SLOT_BYTES = 1 << 30
"""For each slot, and for the node: a process that has trained a network of 32 channels holds half of that."""

_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")
_OF_GAMES = "selfplay", "match", "rate"  # jobs that play many games at once
_LONGEST_PAUSE_S = 600.0  # after many failures at one thing; others can do it meanwhile


@dataclass(frozen=True)
class WorkerSlot:
    """A place for one job at a time. Numbers count from 1."""

    number: int
    gpu: Gpu | None = None
    equipment: Equipment = ALONE

    @property
    def device(self) -> str:
        """The name of its device: that of its GPU, or "cpu"."""
        return CPU if self.gpu is None else self.gpu.name

    @property
    def file_name(self) -> str:
        """The first part of the names of its files: that of the first slot is what it was before there were several."""
        return "worker" if self.number == 1 else f"worker-{self.number}"

    def environment(self) -> Mapping[str, str]:
        """Return what the environment of its worker process has besides: one thread, its own GPU, and no other."""
        visible = "" if self.gpu is None else self.gpu.uuid
        return {**dict.fromkeys(_THREADS, "1"), "CUDA_VISIBLE_DEVICES": visible}


def plan_slots(
    gpus: Sequence[Gpu],
    cores: int,
    memory_bytes: int,
    wished: int | None = None,
    training_processes: int | None = None,
) -> tuple[WorkerSlot, ...]:
    """Return the slots of a machine: as many as are wished for, GPUs first.

    By default it is one for each GPU, which takes a core, and one for each two of the other cores; at least 1, at most
    `MAX_SLOTS`, and no more than there is memory for. `training_processes` is what `plan_equipment` wishes for.
    """
    usual = len(gpus) + max(0, cores - len(gpus)) // CORES_OF_SLOT
    count = max(1, min(usual, memory_bytes // SLOT_BYTES - 1, MAX_SLOTS)) if wished is None else wished
    owned = [gpus[number] if number < len(gpus) else None for number in range(count)]
    return tuple(
        WorkerSlot(number, gpu, plan_equipment(gpu, gpus, training_processes)) for number, gpu in enumerate(owned, 1)
    )


class SlotState:
    """A slot at work: its runner, what it failed at lately, and what it works on."""

    def __init__(self, slot: WorkerSlot, runner: JobRunner, process: WorkerProcess | None = None) -> None:
        """Make a slot whose jobs `runner` does; if it does them in a process that can be watched, that is `process`."""
        self.slot = slot
        equipped = EquippedRunner(slot.equipment, runner, lambda: self.is_short_of_memory)
        self.runner: JobRunner = _SizedRunner(self, equipped)
        self._process = process
        self.memory_bytes: int | None = None  # of its process
        self.memory_tier = 0  # of its process
        self.is_short_of_memory = False  # it, or the machine
        self.backoff = Backoff(_LONGEST_PAUSE_S)
        self.failures = 0  # jobs that failed since the start
        self._works: dict[int, WorkProgress] = {}

    @property
    def work(self) -> WorkProgress | None:
        """What it works on, of several claims the oldest; None if on nothing."""
        return next(iter(self._works.values()), None)

    @property
    def works(self) -> tuple[WorkProgress, ...]:
        """All that it works on, the oldest claim first."""
        return tuple(self._works.values())

    @property
    def claims(self) -> int:
        """How many claims it works on."""
        return len(self._works)

    @property
    def pid(self) -> int | None:
        """The id of its process, if there is one now."""
        return None if self._process is None else self._process.pid

    @property
    def wants_new_process(self) -> bool:
        """Whether its process holds so much memory that the next claim should begin with another."""
        return self.memory_tier >= 2

    @property
    def scarce(self) -> str:
        """What follows from how much memory its process holds, in words; empty if nothing does."""
        if not self.memory_tier or self.memory_bytes is None:
            return ""
        return (
            f"its process holds {self.memory_bytes >> 20} MiB, tier {self.memory_tier}: {SLOT_WORDS[self.memory_tier]}"
        )

    async def end_process(self, reason: str) -> None:
        """End its process; a job that runs there fails, and says why."""
        if self._process is not None:
            await self._process.end(reason)

    def show(self, work: WorkProgress) -> None:
        """Tell from now on how far the work on a claim is."""
        self._works[work.claim] = work

    def forget(self, claim: int) -> None:
        """Tell nothing more of a claim."""
        self._works.pop(claim, None)


class _SizedRunner:
    """The runner of a slot, whose jobs play fewer games at once where memory is scarce. See `JobRunner`."""

    def __init__(self, state: SlotState, runner: JobRunner) -> None:
        self._state, self._runner = state, runner

    async def perform(self, job: Mapping[str, Any], report: Report) -> Mapping[str, Any]:
        """See `JobRunner.perform`."""
        if self._state.is_short_of_memory and job.get("job") in _OF_GAMES:
            job = {**job, "settings": {**job["settings"], "concurrency": FEW_GAMES}}
        return await self._runner.perform(job, report)

    async def aclose(self) -> None:
        """See `JobRunner.aclose`."""
        await self._runner.aclose()
