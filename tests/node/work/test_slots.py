"""The worker slots of one node: as many as its machine has room for, and what goes wrong in one stays in it."""

import random
import sys
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from consensus.ledger.records import transactions as t
from consensus.settings import SteeringSettings
from node.simulation.fake_worker import FakeWorker
from node.system.device import Gpu
from node.system.supervision import RestartingSupervisor
from node.work.desk import ClaimDesk
from node.work.loop import work_on
from node.work.slots import SlotState, WorkerSlot, plan_slots
from node.work.worker import JobRunner, Report, WorkerProcess, WorkError
from tests.consensus.ledger.swarm import Swarm
from tests.node.work.test_work import SETTINGS, Breaking, OrderContext

GPU = Gpu("NVIDIA H200", "GPU-5c0de1a2")
RULES = replace(SETTINGS, steering=SteeringSettings(rules=1))


@pytest.mark.parametrize(
    ("gpus", "cores", "wished", "devices"),
    [
        (0, 1, None, "c"),
        (0, 2, None, "c"),
        (0, 8, None, "cccc"),
        (1, 1, None, "g"),
        (1, 16, None, "gccccccc"),
        (8, 4, None, "gggggggg"),
        (2, 64, 1, "g"),
        (1, 2, 3, "gcc"),
        (0, 512, None, "c" * 60),
    ],
)
def test_a_machine_has_a_slot_for_each_gpu_and_for_each_two_of_the_other_cores(
    gpus: int, cores: int, wished: int | None, devices: str
) -> None:
    slots = plan_slots([GPU] * gpus, cores, 1 << 40, wished)
    assert "".join("c" if slot.gpu is None else "g" for slot in slots) == devices
    assert [slot.number for slot in slots] == list(range(1, len(devices) + 1))


@pytest.mark.parametrize(("gigabytes", "wished", "count"), [(0.5, None, 1), (4, None, 3), (64, None, 32), (4, 8, 8)])
def test_there_are_no_more_slots_than_memory_for_them_unless_somebody_says_so(
    gigabytes: float, wished: int | None, count: int
) -> None:
    assert len(plan_slots([], 64, int(gigabytes * 2**30), wished)) == count


def test_a_slot_sees_its_own_gpu_and_computes_with_one_thread() -> None:
    assert WorkerSlot(1, GPU).environment()["CUDA_VISIBLE_DEVICES"] == GPU.uuid
    assert WorkerSlot(2).environment()["CUDA_VISIBLE_DEVICES"] == ""
    assert WorkerSlot(2).environment()["OMP_NUM_THREADS"] == "1"


class Machine:
    """A node with a slot for each runner, in a swarm whose order takes everything at once."""

    def __init__(self, directory: Path, *runners: JobRunner, rules: int = 1) -> None:
        self.swarm = Swarm(4, RULES if rules else SETTINGS)
        self.context = OrderContext(self.swarm, directory)
        self.desk = ClaimDesk(self.context)
        self.slots = [SlotState(WorkerSlot(number + 1), runner) for number, runner in enumerate(runners)]
        self.supervisor = RestartingSupervisor(fatal=())

    async def run(self) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.context.beat)
            for slot in self.slots:
                part = f"slot {slot.slot.number}"
                nursery.start_soon(self.supervisor.run, part, work_on, self.context, self.desk, slot)

    def said(self, kind: type[t.Transaction]) -> int:
        return sum(isinstance(entry, kind) for entry in self.context.said)


def fake(tmp_path: Path, seed: int = 1) -> FakeWorker:
    return FakeWorker(random.Random(seed), tmp_path, [])


async def test_many_slots_work_at_once_and_never_want_the_same(tmp_path: Path, autojump_clock: MockClock) -> None:
    machine = Machine(tmp_path, *(fake(tmp_path, seed) for seed in range(5)))
    busy: Counter[int] = Counter()
    with trio.move_on_after(120):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(machine.run)
            while True:
                await trio.sleep(1)
                busy[sum(slot.work is not None for slot in machine.slots)] += 1
    assert machine.swarm.ledger.refused_counts() == {}
    assert busy[5] >= 5
    assert machine.said(t.Games) >= 8  # all that are wanted: the ceiling is 64 games
    assert machine.said(t.Candidate) >= 1


@pytest.mark.parametrize("rules", [0, 1])
async def test_slots_play_no_more_than_is_wanted(tmp_path: Path, autojump_clock: MockClock, rules: int) -> None:
    machine = Machine(tmp_path, *(fake(tmp_path, seed) for seed in range(5)), rules=rules)
    machine.context.roles = ("selfplay",)
    with trio.move_on_after(200):
        await machine.run()
    made = machine.swarm.ledger.configuration("hex8-2").new_games
    assert made == 64 if rules else 64 <= made < 64 + 5 * 8
    assert not machine.swarm.ledger.claims_of(machine.context.me)


async def test_a_slot_that_fails_leaves_the_others_alone(tmp_path: Path, autojump_clock: MockClock) -> None:
    broken = Breaking("selfplay", "train")
    machine = Machine(tmp_path, broken, fake(tmp_path))
    with trio.move_on_after(100):
        await machine.run()
    assert 2 <= sum(broken.tried.values()) <= 9  # its pauses double
    assert machine.said(t.Release) == sum(broken.tried.values())
    assert machine.said(t.Games) >= 6
    assert machine.swarm.ledger.refused_counts() == {}


class Stumbling(FakeWorker):
    """A worker whose first job brings out a fault of this program."""

    async def perform(self, job: Mapping[str, Any], report: Report) -> Mapping[str, Any]:
        done = await super().perform(job, report)
        assert len(self.jobs) > 1, "a fault that nobody foresaw"
        return done


async def test_a_fault_of_the_program_ends_one_slot_and_its_claim_is_given_back(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    machine = Machine(tmp_path, Stumbling(random.Random(2), tmp_path, []), fake(tmp_path))
    with trio.move_on_after(60):
        await machine.run()
    assert [failure.part for failure in machine.supervisor.failures] == ["slot 1"]
    (release,) = [entry for entry in machine.context.said if isinstance(entry, t.Release)]
    assert release.reason == "the work on it was broken off"
    assert machine.said(t.Games) >= 5
    assert machine.swarm.ledger.refused_counts() == {}


async def test_a_contest_that_failed_in_one_slot_is_not_tried_by_the_next(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    """What was given back is for other members first."""
    machine = Machine(tmp_path, *(fake(tmp_path, seed) for seed in range(4)))
    machine.context.roles = ("match",)
    machine.swarm.nominate(3)  # its files are nowhere
    with trio.move_on_after(50):
        await machine.run()
    assert machine.said(t.MatchClaim) == 1


CHILD = """
import os, struct, sys
import cbor2
while len(head := sys.stdin.buffer.read(4)) == 4:
    job = cbor2.loads(sys.stdin.buffer.read(struct.unpack(">I", head)[0]))
    if job["job"] == "die":
        os.abort()
    names = ("CUDA_VISIBLE_DEVICES", "OMP_NUM_THREADS")
    done = {"pid": os.getpid(), "sees": [os.environ[name] for name in names]}
    answer = {"done": done} if job["job"] == "look" else {"error": "CUDA error", "broken": True}
    body = cbor2.dumps({"id": job["id"], **answer})
    sys.stdout.buffer.write(struct.pack(">I", len(body)) + body)
    sys.stdout.buffer.flush()
"""


async def test_a_dead_or_broken_process_is_its_own_slots_and_the_next_job_gets_a_new_one(tmp_path: Path) -> None:
    script = tmp_path / "child.py"
    script.write_text(CHILD)
    command = sys.executable, "-S", "-c", f"import sys; sys.path = {sys.path}; exec(open({str(script)!r}).read())"
    first, second = (
        WorkerProcess(tmp_path / f"{slot.file_name}.log", command, slot.environment())
        for slot in plan_slots([GPU], 1, 1 << 40, 2)
    )

    async def look(slot: WorkerProcess) -> tuple[int, list[str]]:
        done = await slot.perform({"job": "look"}, lambda _told: None)
        return done["pid"], done["sees"]

    one, other = await look(first), await look(second)
    assert (one[1], other[1]) == ([GPU.uuid, "1"], ["", "1"])
    for job in ("die", "break"):
        with pytest.raises(WorkError, match=r"SIGABRT|CUDA error"):
            await first.perform({"job": job}, lambda _told: None)
        assert await look(second) == other
        later = await look(first)
        assert later[0] != one[0]
        one = later
    await first.aclose()
    await second.aclose()
