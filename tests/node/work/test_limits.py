"""Memory and disk become scarce: what follows in each tier, with faked readings and with a process that is real."""

import os
import random
import resource
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from consensus.ledger.records import transactions as t
from node.simulation.fake_worker import FakeWorker
from node.system.memory import MemoryReading
from node.system.supervision import Unsupervised
from node.work.desk import ClaimDesk
from node.work.drain import Drain
from node.work.lifecycle import _work_in
from node.work.limits import FEW_GAMES, GIGABYTE, DiskReading, WorkLimits, disk_tier, memory_tier
from node.work.memory_guard import SETTLE_S, MemoryGuard
from node.work.slots import SlotState, WorkerSlot
from node.work.worker import Report, WorkerProcess, WorkError
from tests.node.work.test_slots import Machine, fake


def test_a_tier_of_memory_begins_at_its_bound_and_ends_below_it() -> None:
    tier, seen = 0, []
    for used in (0.59, 0.60, 0.57, 0.54, 0.71, 0.66, 0.64, 0.85, 0.95, 0.86, 0.84, 0.10):
        tier = memory_tier(tier, used)
        seen.append(tier)
    assert seen == [0, 1, 1, 0, 2, 2, 1, 3, 4, 4, 3, 0]


def test_a_tier_of_the_disk_depends_on_parts_of_it_and_on_bytes() -> None:
    large = 2000 * GIGABYTE
    assert [disk_tier(0, free * GIGABYTE, large) for free in (5, 3, 1)] == [0, 1, 1]
    assert disk_tier(0, GIGABYTE // 2, large) == 2
    small = 64 << 20
    assert [disk_tier(0, free << 20, small) for free in (7, 6, 3)] == [0, 1, 2]
    tier, seen = 0, []
    for free in (3, 3.5, 4.1, 7, 8.1):
        tier = disk_tier(tier, int(free * (1 << 20)), small)
        seen.append(tier)
    assert seen == [2, 2, 1, 1, 0]


def test_a_scarce_disk_has_no_room_for_what_others_made() -> None:
    limits = WorkLimits()
    assert limits.room_gib is None
    limits.disk = DiskReading(41 * GIGABYTE - 1, 500 * GIGABYTE)
    assert limits.room_gib == 40
    limits.disk_tier = 1
    assert limits.room_gib == 0


def test_it_is_told_in_words() -> None:
    limits = WorkLimits()
    assert (limits.reasons, limits.may_claim) == ([], True)
    limits.memory, limits.memory_tier = MemoryReading(3 * GIGABYTE, 4 * GIGABYTE), 2
    limits.disk, limits.disk_tier = DiskReading(GIGABYTE, 100 * GIGABYTE), 1
    assert limits.reasons == [
        "75% of 4.0 GiB of memory are used, tier 2 of 4: nothing new is claimed",
        "1.00 of 100.00 GiB of disk are free, tier 1 of 2: what is not needed is deleted",
    ]
    assert not limits.may_claim


class Watched:
    """A stand-in for the process of a slot, whose end fails the job that runs."""

    def __init__(self, directory: Path, seed: int) -> None:
        self.runner = Ending(random.Random(seed), directory, [])
        self.ended: list[str] = []

    @property
    def pid(self) -> int | None:
        return None if self.runner.is_new else id(self)

    async def end(self, reason: str) -> None:
        self.ended.append(reason)
        self.runner.end(reason)


class Ending(FakeWorker):
    """A worker whose jobs go on for ever, until its process is ended."""

    is_new = True
    _ended = trio.Event()
    _reason = ""

    def end(self, reason: str) -> None:
        self.is_new, self._reason = True, reason
        self._ended.set()

    async def perform(self, job: Mapping[str, Any], report: Report) -> Mapping[str, Any]:
        self.jobs.append(job)
        self.is_new, self._ended = False, trio.Event()
        while not self._ended.is_set():
            report({"games": 0, "beat": trio.current_time()})
            with trio.move_on_after(5):
                await self._ended.wait()
        raise WorkError(f"worker process was ended: {self._reason}")


class Guarded:
    """A node of three slots whose memory is as the test says; jobs go on until they are ended."""

    def __init__(self, directory: Path, count: int = 3) -> None:
        self.children: list[Any] = [Watched(directory, seed) for seed in range(count)]
        self.machine = Machine(directory)
        self.machine.context.roles = ("selfplay",)
        self.limits, self.drain = WorkLimits(), Drain(30)
        self.desk = ClaimDesk(self.machine.context, self.limits)
        self.slots = [
            SlotState(WorkerSlot(number + 1), child.runner, child) for number, child in enumerate(self.children)
        ]
        self.used, self.held = 0.3, 0.1  # parts of the machine's memory, and of a child's share
        self.guard = MemoryGuard(self.limits, self.slots, self.drain, self.read, self.resident)

    def read(self) -> MemoryReading:
        return MemoryReading(int(self.used * 100_000), 100_000)

    def resident(self, _pid: int) -> int:
        return int(self.held * 100_000) // (len(self.slots) + 1)

    async def run(self) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.machine.context.beat)
            nursery.start_soon(self.guard.run)
            scope = trio.CancelScope()
            nursery.start_soon(_work_in, self.machine.context, self.desk, self.slots, Unsupervised().run, scope)
            nursery.start_soon(self.drain.run, self.machine.context, self.desk, scope.cancel)

    @property
    def busy(self) -> list[int]:
        return [slot.slot.number for slot in self.slots if slot.work is not None]


async def test_each_tier_does_what_it_says(tmp_path: Path, autojump_clock: MockClock) -> None:
    node = Guarded(tmp_path)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(node.run)
        await trio.sleep(10)
        assert node.busy == [1, 2, 3]
        assert "concurrency" not in node.children[0].runner.jobs[0]["settings"]
        node.used = 0.72
        await trio.sleep(3)
        await node.children[1].end("by hand")  # its job ends, and nothing new is claimed
        await trio.sleep(60)
        assert node.busy == [1, 3]
        node.used = 0.64  # claims again, with fewer games at once
        await trio.sleep(20)
        assert node.busy == [1, 2, 3]
        assert node.children[1].runner.jobs[-1]["settings"]["concurrency"] == FEW_GAMES
        node.used = 0.82  # the youngest job ends, then the next one
        await trio.sleep(3)
        assert node.busy == [1, 3]
        await trio.sleep(SETTLE_S)
        assert node.busy == [1]
        assert not node.drain.has_begun
        node.used = 0.66
        await trio.sleep(60)
        assert node.busy == [1]
        node.used = 0.93
        await trio.sleep(2 * SETTLE_S + 5)
        assert node.drain.has_begun
        nursery.cancel_scope.cancel()
    reasons = [entry.reason for entry in node.machine.context.said if isinstance(entry, t.Release)]
    assert sum("memory is scarce" in reason for reason in reasons) >= 2
    assert not node.machine.swarm.ledger.claims_of(node.machine.context.me)


async def test_a_process_that_holds_more_than_its_share_is_ended_only_where_memory_is_needed(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    node = Guarded(tmp_path, 1)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(node.run)
        node.held = 0.85
        await trio.sleep(60)
        assert node.busy == [1]
        assert node.slots[0].memory_tier == 3
        assert "tier 3: the process is ended if memory gets scarce on the machine" in node.slots[0].scarce
        assert node.children[0].ended == []
        node.used = 0.61
        await trio.sleep(3)
        assert node.busy == []
        assert len(node.children[0].ended) == 1
        nursery.cancel_scope.cancel()


async def test_a_swollen_process_is_replaced_before_the_next_claim(tmp_path: Path, autojump_clock: MockClock) -> None:
    machine = Machine(tmp_path)
    child: Any = Watched(tmp_path, 1)
    slot = SlotState(WorkerSlot(1), fake(tmp_path), child)
    slot.memory_tier = 2
    machine.slots = [slot]
    with trio.move_on_after(40):
        await machine.run()
    assert machine.said(t.Games) >= 2
    assert len(child.ended) >= machine.said(t.Games)


async def test_a_swarm_at_rest_does_not_keep_a_node_from_work_once_there_is_room_again(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    """No round wakes it: it looks by itself."""
    machine, limits = Machine(tmp_path, fake(tmp_path)), WorkLimits()
    machine.desk = ClaimDesk(machine.context, limits)
    limits.disk_tier = 2
    async with trio.open_nursery() as nursery:
        for slot in machine.slots:
            nursery.start_soon(Unsupervised().run, "slot", _work_in_slot, machine, slot)
        await trio.sleep(30)
        assert machine.context.said == []
        limits.disk_tier = 1
        await trio.sleep(30)
        nursery.cancel_scope.cancel()
    assert machine.said(t.SelfplayClaim) >= 1


async def _work_in_slot(machine: Machine, slot: SlotState) -> None:
    scope = trio.CancelScope()
    await _work_in(machine.context, machine.desk, [slot], Unsupervised().run, scope)


CHILD = """
import training.jobs, training.worker

def run_job(request, report, _is_enough):
    held = []
    while request["hungry"]:
        held.append(bytearray(16 << 20))
    return {"pid": __import__("os").getpid()}

training.jobs.run_job = run_job
raise SystemExit(training.worker.main())
"""


async def test_a_real_process_without_memory_fails_its_job_alone_and_the_next_gets_a_new_one(tmp_path: Path) -> None:
    script = tmp_path / "child.py"
    script.write_text(f"import sys; sys.path.insert(0, {str(Path(__file__).parents[3])!r})\n{CHILD}")
    first, other = (
        WorkerProcess(tmp_path / f"{name}.log", (sys.executable, str(script))) for name in ("first", "other")
    )
    job: dict[str, Any] = {"job": "check", "hungry": False}
    try:
        before = [(await worker.perform(job, lambda _told: None))["pid"] for worker in (first, other)]
        resource.prlimit(before[0], resource.RLIMIT_AS, (1 << 30, 1 << 30))
        with trio.fail_after(60), pytest.raises(WorkError, match="MemoryError"):
            await first.perform({**job, "hungry": True}, lambda _told: None)
        after = [(await worker.perform(job, lambda _told: None))["pid"] for worker in (first, other)]
        assert after[1] == before[1]
        assert after[0] != before[0]
    finally:
        await first.aclose()
        await other.aclose()


async def test_a_real_process_that_is_ended_says_why(tmp_path: Path) -> None:
    script = tmp_path / "child.py"
    script.write_text("import sys, time\nsys.stdin.buffer.read(1)\ntime.sleep(600)\n")
    worker = WorkerProcess(tmp_path / "worker.log", (sys.executable, str(script)))
    slot = SlotState(WorkerSlot(1), worker, worker)
    errors: list[str] = []

    async def perform() -> None:
        try:
            await slot.runner.perform({"job": "check"}, lambda _told: None)
        except WorkError as error:
            errors.append(str(error))

    with trio.fail_after(20):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(perform)
            while slot.pid is None:
                await trio.sleep(0.01)
            pid = slot.pid
            guard = MemoryGuard(WorkLimits(), [slot], Drain(30), lambda: MemoryReading(85, 100))
            await guard.look()  # nothing is at work in it
    assert errors == ["worker process was ended: memory is scarce, and it does nothing"]
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
