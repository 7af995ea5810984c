"""What a slot trains with: several processes through the node's own path, and one where that fails."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import trio
import trio.testing
from structlog.testing import capture_logs

from consensus.ledger.records import transactions as t
from consensus.ledger.records.entities import Claim
from consensus.ledger.rules.seeds import DISTANCE
from engine.config import config
from node.config.swarm_file import MAX_TRAINING_PROCESSES
from node.system.device import Gpu
from node.system.imports import python_command
from node.work.equipment import GPU_GAMES, Equipment, EquippedRunner, plan_equipment
from node.work.jobs import perform
from node.work.slots import SlotState, WorkerSlot, plan_slots
from node.work.worker import Report, WorkerProcess, WorkError
from tests.consensus.ledger.swarm import Swarm
from tests.node.work.test_work import SETTINGS, OrderContext
from training.selfplay import play_shard
from training.settings import SelfPlaySettings, TrainSettings, read_settings
from training.shard import write_shard
from training.team import MOST_PROCESSES

STEPS = 400
SMALL = replace(
    SETTINGS,
    training=replace(
        SETTINGS.training, architecture="c4b1", first_networks=1, steps=8, first_steps=8, batch=32, measured_blocks=0
    ),
)


def test_no_team_is_larger_than_the_worker_allows() -> None:
    assert MAX_TRAINING_PROCESSES == MOST_PROCESSES


def test_a_slot_trains_on_its_own_gpu_and_the_others_of_the_machine() -> None:
    gpus = [Gpu("NVIDIA H200", f"GPU-{number}") for number in range(3)]
    slots = plan_slots(gpus, 7, 1 << 40)
    assert [slot.equipment.gpus for slot in slots] == [
        ("GPU-0", "GPU-1", "GPU-2"),
        ("GPU-1", "GPU-0", "GPU-2"),
        ("GPU-2", "GPU-0", "GPU-1"),
        (),
        (),
    ]
    assert slots[1].equipment.training_settings() == {
        "processes": 3, "device": "cuda", "precision": "bfloat16", "gpus": "GPU-1,GPU-0,GPU-2",
    }  # fmt: skip
    assert slots[3].equipment.training_settings() == {}
    assert [slot.equipment.training_settings()["processes"] for slot in plan_slots(gpus, 5, 1 << 40, None, 2)] == [
        2
    ] * 4
    many = [Gpu("NVIDIA H200", f"GPU-{number}") for number in range(20)]
    assert len(plan_slots(many, 20, 1 << 40)[19].equipment.gpus) == MAX_TRAINING_PROCESSES
    read_settings(TrainSettings, slots[1].equipment.training_settings())


async def test_a_gpu_that_torch_cannot_use_is_told() -> None:
    trainer = Trainer()
    runner = EquippedRunner(Equipment(gpus=("GPU-0",)), trainer, lambda: False)
    for device, told in (("cuda", []), ("cpu", ["a job was done on the CPU, though there is a GPU"])):
        trainer.done = {"device": device}
        with capture_logs() as logs:
            await runner.perform({"job": "train", "settings": {}}, lambda _told: None)
        assert [entry["event"] for entry in logs] == told


class Trainer:
    """A runner that notes what it was asked for, and fails with more than a plain job as long as it is told."""

    def __init__(self) -> None:
        self.asked: list[int] = []  # processes, or games at once
        self.breaks = False
        self.goes_on = trio.Event()
        self.goes_on.set()
        self.done: Mapping[str, Any] = {}

    async def perform(self, job: Mapping[str, Any], report: Report) -> Mapping[str, Any]:
        name = "concurrency" if job["job"] == "selfplay" else "processes"
        size = job["settings"].get(name, 1)
        self.asked.append(size)
        await self.goes_on.wait()
        if self.breaks and size > 1:
            raise WorkError("RuntimeError: connection closed by peer")
        return self.done

    async def aclose(self) -> None:
        await trio.lowlevel.checkpoint()


@pytest.mark.parametrize(("kind", "size"), [("train", 4), ("selfplay", GPU_GAMES)])
async def test_after_a_failure_a_job_is_plain_and_what_never_works_is_given_up(kind: str, size: int) -> None:
    trainer, is_short = Trainer(), False
    equipment = Equipment(4) if kind == "train" else Equipment(gpus=("GPU-0",))
    runner = EquippedRunner(equipment, trainer, lambda: is_short)
    job = {"job": kind, "settings": {"steps": 7}, "model": "/model"}

    async def perform_one() -> None:
        try:
            await runner.perform(job, lambda _told: None)
        except WorkError:
            assert trainer.asked[-1] == size

    await perform_one()
    trainer.breaks = True
    await perform_one()
    trainer.breaks = False
    for _ in range(2):
        await perform_one()
    assert trainer.asked == [size, size, 1, size]
    is_short = True
    await perform_one()
    is_short = False
    assert trainer.asked.pop() == 1
    trainer.breaks, trainer.asked = True, []
    with capture_logs() as logs:
        for _ in range(8):
            await perform_one()
    assert trainer.asked == [size, 1, size, 1, size, 1, 1, 1]
    assert [entry["lasting"] for entry in logs] == ["once", "once", "until the node is restarted"]
    await runner.perform({"job": "match", "settings": {}}, lambda _told: None)
    assert trainer.asked[-1] == 1


async def test_claims_that_overlap_are_played_alike_and_fail_as_one() -> None:
    """A process plays jobs of one kind together: one that is played elsewhere would wait until the others end."""
    trainer, is_short = Trainer(), False
    runner = EquippedRunner(Equipment(gpus=("GPU-0",)), trainer, lambda: is_short)
    job = {"job": "selfplay", "settings": {}, "model": "/model"}
    failed = []

    async def play() -> None:
        try:
            await runner.perform(job, lambda _told: None)
        except WorkError:
            failed.append(job)

    async def play_together() -> None:
        nonlocal is_short
        trainer.goes_on = trio.Event()
        async with trio.open_nursery() as nursery:
            for _ in range(3):
                nursery.start_soon(play)
                await trio.testing.wait_all_tasks_blocked()
                is_short = True
            is_short = False
            trainer.goes_on.set()

    trainer.breaks = True
    for _ in range(4):
        await play_together()
    assert trainer.asked == [GPU_GAMES] * 3 + [1] * 3 + [GPU_GAMES] * 3 + [1] * 3
    assert len(failed) == 6
    few = {**job, "settings": {"concurrency": 64}}
    trainer.breaks = False
    await runner.perform(few, lambda _told: None)
    assert trainer.asked[-1] == 64
    await runner.perform({**job, "model": None}, lambda _told: None)
    assert trainer.asked[-1] == 1


class Story:
    """A member that trains with a real worker in a slot of several processes."""

    def __init__(self, folder: Path, processes: int, steps: int = 8) -> None:
        folder.mkdir()
        settings = replace(SMALL, training=replace(SMALL.training, steps=steps, first_steps=steps))
        self.swarm = Swarm(4, settings)
        self.context = OrderContext(self.swarm, folder)
        self.enough = trio.Event()
        self.slots: list[SlotState] = []
        self.folder, self.processes = folder, processes
        self.others: set[int] = set()  # processes of the team besides the first
        self.made = 0

    def play(self) -> None:
        shard = play_shard(config("hex8-2"), None, bytes(32), bytes(32), 40, SelfPlaySettings())
        self.context.files[self.swarm.play(0, games=40)] = write_shard(self.folder, shard).path

    def claim(self) -> Claim:
        number = self.swarm.next_id(0)
        self.swarm.act(0, t.TrainClaim(number, "hex8-2", "c4b1"))
        for _ in range(DISTANCE):
            self.swarm.order()
        claim = self.swarm.ledger.claim(self.context.me, number)
        assert claim is not None
        return claim

    async def train(
        self, enough_at: int | None = None, processes: int | None = None, gpu: Gpu | None = None
    ) -> t.Transaction:
        self.enough = trio.Event()
        equipment = Equipment(self.processes if processes is None else processes)
        slot = WorkerSlot(1, gpu, equipment if gpu is None else plan_equipment(gpu, [gpu], None))
        worker = WorkerProcess(
            self.folder / "worker.log", python_command("training.worker"), slot.environment(), self.enough
        )
        self.slots.append(SlotState(slot, worker, worker))

        def observe(progress: Mapping[str, Any]) -> None:
            self.made = progress.get("steps", 0)
            if worker.pid is not None:
                children = Path(f"/proc/{worker.pid}/task/{worker.pid}/children").read_text()
                self.others |= {int(word) for word in children.split()}
            if enough_at is not None and self.made >= enough_at:
                self.enough.set()

        try:
            return await perform(self.context, self.slots[-1].runner, self.claim(), observe)
        finally:
            await worker.aclose()


@pytest.mark.slow
async def test_a_slot_trains_by_as_many_processes_as_it_has(tmp_path: Path) -> None:
    story = Story(tmp_path / "a", 2)
    story.play()
    with trio.fail_after(100):
        candidate = await story.train()
    assert isinstance(candidate, t.Candidate), (tmp_path / "a" / "worker.log").read_text()
    assert len(story.others) == 1
    with trio.fail_after(10):
        while any(Path(f"/proc/{pid}").exists() for pid in story.others):
            await trio.sleep(0.05)


@pytest.mark.slow
async def test_a_slot_whose_gpu_torch_cannot_use_trains_on_the_cpu_and_says_so(tmp_path: Path) -> None:
    """A GPU that `nvidia-smi` lists and CUDA does not find, as with a build of torch for CPUs."""
    story = Story(tmp_path / "a", 1)
    story.play()
    with capture_logs() as logs, trio.fail_after(100):
        candidate = await story.train(gpu=Gpu("NVIDIA H200", "GPU-5c0de1a2"))
    assert isinstance(candidate, t.Candidate)
    assert [entry["kind"] for entry in logs if "though there is a GPU" in entry["event"]] == ["train"]
    with trio.fail_after(10):  # a thread writes it
        while "training on the CPU: torch" not in (tmp_path / "a" / "worker.log").read_text():
            await trio.sleep(0.05)


@pytest.mark.slow
async def test_a_team_that_is_told_to_end_goes_on_with_the_same_bytes_and_alone_where_there_is_no_team(
    tmp_path: Path,
) -> None:
    """Three times the same seed and games: at once, in two parts, and with the second part by one process."""
    weights = []
    for name, parts in (("whole", ()), ("parts", (2,)), ("alone", (1,))):
        story = Story(tmp_path / name, 2, STEPS)
        story.play()
        with trio.fail_after(200):
            report = await story.train(enough_at=1 if parts else None)
            if parts:
                assert isinstance(report, t.Release), report
                story.swarm.act(0, report)
                assert 0 < story.made < STEPS
                report = await story.train(processes=parts[0])
        assert isinstance(report, t.Candidate)
        weights.append(report.files)
    assert weights[0] == weights[1] != weights[2]
