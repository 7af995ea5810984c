"""Claims of self-play that overlap in one slot: the next comes where there is room, and each ends as it would alone."""

import os
import random
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from consensus.ledger.records import transactions as t
from consensus.ledger.records.decisions import SteeringChange
from node.simulation.fake_worker import FakeWorker
from node.system.supervision import Unsupervised
from node.work import watchdog
from node.work.drain import Drain
from node.work.lifecycle import _work_in
from node.work.rates import Rates, size_of
from node.work.watchdog import StuckError, WatchedRunner
from node.work.worker import Report, WorkerProcess, WorkError
from tests.node.work.test_slots import Machine

BOUND_S = 30
JOB: dict[str, Any] = {"job": "selfplay", "config": "hex8-2", "model": "m", "games": 4, "settings": {"simulations": 16}}


class Pool(FakeWorker):
    """A worker that plays a game a second, for the oldest job, and has room for another job below `places` games."""

    def __init__(self, directory: Path, places: int, enough: trio.Event | None = None, pace_s: float = 1.0) -> None:
        super().__init__(random.Random(1), directory, [])
        self._places, self._pace_s = places, pace_s
        self._enough = trio.Event() if enough is None else enough
        self._left: dict[int, int] = {}
        self.most = 0
        self.dies_at = -1.0

    async def perform(self, job: Mapping[str, Any], report: Report) -> Mapping[str, Any]:
        if job["job"] != "selfplay":
            return await super().perform(job, report)
        self.jobs.append(job)
        number, wanted = len(self.jobs), job["games"]
        self._left[number] = wanted
        self.most = max(self.most, len(self._left))
        try:
            while self._left[number] and not self._enough.is_set():
                with trio.move_on_after(self._pace_s):
                    await self._enough.wait()
                if trio.current_time() > self.dies_at > 0:
                    raise WorkError("worker process ended: killed by SIGKILL")
                self._left[number] -= min(self._left) == number
                room = int(sum(self._left.values()) < self._places)
                report({"games": wanted - self._left[number], "room": room, "beat": trio.current_time()})
            made = wanted - self._left[number]
        finally:
            del self._left[number]
        if not made:
            raise WorkError("no game is over yet")
        return self._play({**job, "games": made})


async def test_the_next_claim_is_made_where_there_is_room_and_both_are_delivered(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    pool = Pool(tmp_path, places=6)
    machine = Machine(tmp_path, pool)
    machine.context.roles = ("selfplay",)
    held = []
    with trio.move_on_after(80):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(machine.run)
            while True:
                await trio.sleep(1)
                held.append(machine.slots[0].claims)
    assert pool.most == 2
    assert held.count(2) > 20
    assert machine.said(t.SelfplayClaim) == machine.said(t.Games) == 8
    assert machine.said(t.Release) == 0
    assert machine.swarm.ledger.refused_counts() == {}
    assert len({job["seed"] for job in pool.jobs}) == 8
    assert not machine.swarm.ledger.claims_of(machine.context.me)


async def test_without_room_claims_follow_one_another(tmp_path: Path, autojump_clock: MockClock) -> None:
    pool = Pool(tmp_path, places=0)
    machine = Machine(tmp_path, pool)
    machine.context.roles = ("selfplay",)
    with trio.move_on_after(80):
        await machine.run()
    assert (pool.most, machine.said(t.Games)) == (1, 8)


@pytest.mark.parametrize(("pace_s", "most"), [(0.25, 6), (4.0, 2)])
async def test_more_than_two_overlap_only_where_all_are_soon_over(
    tmp_path: Path, autojump_clock: MockClock, pace_s: float, most: int
) -> None:
    pool = Pool(tmp_path, places=36, pace_s=pace_s)
    machine = Machine(tmp_path, pool)
    machine.context.roles = ("selfplay",)
    with trio.move_on_after(100 * pace_s):
        await machine.run()
    assert pool.most == most
    assert machine.said(t.Games) == 8


async def test_what_is_wanted_more_is_done_once_the_claim_is_over(tmp_path: Path, autojump_clock: MockClock) -> None:
    """Enough games for a training are there after three claims; what the slot holds then is soon over."""
    machine = Machine(tmp_path, Pool(tmp_path, places=100))
    with trio.move_on_after(60):
        await machine.run()
    kinds = [type(entry) for entry in machine.context.said]
    before = kinds[: kinds.index(t.TrainClaim)]
    assert before.count(t.SelfplayClaim) == before.count(t.Games) <= 5
    assert t.Candidate in kinds


async def test_a_claim_with_other_settings_waits_for_those_before_it(tmp_path: Path, autojump_clock: MockClock) -> None:
    pool = Pool(tmp_path, places=6)
    machine = Machine(tmp_path, pool)
    machine.context.roles = ("selfplay",)
    change = SteeringChange("set", setting="selfplay.sparring", value="3")
    with trio.move_on_after(90):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(machine.run)
            await trio.sleep(4.5)  # in the first claim, before there is room
            machine.swarm.agree(change, 0, 1, 2)
            machine.context.stir()
    used = [job["settings"]["sparring"] for job in pool.jobs]
    assert used == sorted(used, reverse=True)
    assert set(used) == {8, 3}
    assert machine.said(t.SelfplayClaim) == machine.said(t.Games) == 8
    assert machine.swarm.ledger.refused_counts() == {}


async def test_a_process_that_dies_fails_all_its_claims_and_that_counts_as_one_failure(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    pool = Pool(tmp_path, places=6)
    machine = Machine(tmp_path, pool)
    machine.context.roles = ("selfplay",)
    pool.dies_at = 7.5
    with trio.move_on_after(9.5):
        await machine.run()
    assert (machine.said(t.SelfplayClaim), machine.said(t.Release)) == (2, 2)
    assert not machine.swarm.ledger.claims_of(machine.context.me)
    (pause,) = machine.slots[0].backoff._pauses.values()
    assert pause[0] == 5


async def test_a_drain_delivers_what_is_over_of_both_and_gives_the_rest_back(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    drain = Drain(BOUND_S)
    pool = Pool(tmp_path, 60, drain.enough)
    machine = Machine(tmp_path, pool)
    machine.context.roles = ("selfplay",)
    machine.swarm.agree(SteeringChange("set", setting="selfplay.games", value="25"), 0, 1, 2)
    async with trio.open_nursery() as nursery:
        scope = trio.CancelScope()
        nursery.start_soon(machine.context.beat)
        nursery.start_soon(_work_in, machine.context, machine.desk, machine.slots, Unsupervised().run, scope)
        nursery.start_soon(drain.run, machine.context, machine.desk, scope.cancel)
        await trio.sleep(10.5)
        drain.begin()
        await drain.wait_until_done()
        nursery.cancel_scope.cancel()
    made = [entry.games for entry in machine.context.said if isinstance(entry, t.Games)]
    released = [entry.claim for entry in machine.context.said if isinstance(entry, t.Release)]
    assert made[0] == 25
    assert 0 < made[1] < 25
    assert len(released) == 1
    assert not machine.swarm.ledger.claims_of(machine.context.me)
    assert machine.swarm.ledger.refused_counts() == {}


CHILD = """
import os, struct, sys
import cbor2

def read():
    head = sys.stdin.buffer.read(4)
    return cbor2.loads(sys.stdin.buffer.read(struct.unpack(">I", head)[0])) if len(head) == 4 else None

def write(message):
    body = cbor2.dumps(message)
    sys.stdout.buffer.write(struct.pack(">I", len(body)) + body)
    sys.stdout.buffer.flush()

jobs = {}
while (job := read()) is not None:
    if "drop" in job:
        del jobs[job["drop"]]
        write({"id": job["drop"], "error": "DroppedError: nobody waits for it"})
        for name in jobs:
            write({"id": name, "progress": {"dropped": job["drop"]}})
    elif job["job"] == "end":
        for name in jobs:
            write({"id": name, "done": {"pid": os.getpid(), "share": 250}})
        write({"id": job["id"], "done": {"pid": os.getpid()}})
        jobs = {}
    else:
        jobs[job["id"]] = job
        write({"id": job["id"], "progress": {"pid": os.getpid()}})
"""


def talking(tmp_path: Path, enough: trio.Event | None = None) -> WorkerProcess:
    script = tmp_path / "child.py"
    script.write_text(CHILD)
    return WorkerProcess(tmp_path / "worker.log", (sys.executable, str(script)), {}, enough)


class Asked:
    """A job in a task of its own."""

    def __init__(self) -> None:
        self.told: list[Mapping[str, Any]] = []
        self.done: Mapping[str, Any] = {}
        self.error = ""
        self.scope = trio.CancelScope()

    async def run(self, worker: WorkerProcess) -> None:
        with self.scope:
            try:
                self.done = await worker.perform(JOB, self.told.append)
            except WorkError as error:
                self.error = str(error)

    async def wait_until_told(self, count: int = 1) -> Mapping[str, Any]:
        with trio.fail_after(20):
            while len(self.told) < count:
                await trio.sleep(0.01)
        return self.told[-1]


async def test_answers_of_jobs_in_one_process_come_to_whoever_waits_for_them(tmp_path: Path) -> None:
    worker, first, second = talking(tmp_path, trio.Event()), Asked(), Asked()
    with trio.fail_after(30):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(first.run, worker)
            nursery.start_soon(second.run, worker)
            pids = {(await job.wait_until_told())["pid"] for job in (first, second)}
            last = await worker.perform({"job": "end"}, lambda _told: None)
    assert pids == {first.done["pid"], second.done["pid"], last["pid"]}
    assert len(pids) == 1
    await worker.aclose()


async def test_a_job_that_nobody_waits_for_is_dropped_and_the_other_goes_on(tmp_path: Path) -> None:
    for enough in (None, trio.Event()):
        worker, first, second = talking(tmp_path, enough), Asked(), Asked()
        with trio.fail_after(30):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(first.run, worker)
                pid = (await first.wait_until_told())["pid"]
                nursery.start_soon(second.run, worker)
                await second.wait_until_told()
                first.scope.cancel()
                assert await second.wait_until_told(2) == {"dropped": 1}
                second.scope.cancel()  # the last one: the process ends
        assert worker.pid is None
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


async def test_a_process_that_is_killed_fails_both_jobs_and_the_next_gets_a_new_one(tmp_path: Path) -> None:
    worker, first, second = talking(tmp_path), Asked(), Asked()
    with trio.fail_after(30):
        async with trio.open_nursery() as nursery:
            for job in (first, second):
                nursery.start_soon(job.run, worker)
                await job.wait_until_told()
            os.kill(first.told[0]["pid"], signal.SIGKILL)
        assert "killed by SIGKILL" in first.error
        assert "worker process" in second.error
        assert (await worker.perform({"job": "end"}, lambda _told: None))["pid"] != first.told[0]["pid"]
    await worker.aclose()


async def test_the_time_of_a_job_is_its_share_of_what_passed(
    tmp_path: Path, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Sharing(FakeWorker):
        async def perform(self, job: Mapping[str, Any], report: Report) -> Mapping[str, Any]:
            for second in range(120 if rates.table() else 100):
                await trio.sleep(1)
                report({"games": second // 25, "share": 250, "beat": second})
            return {"games": job["games"], "share": 250}

    rates = Rates()
    watched = WatchedRunner(Sharing(random.Random(1), tmp_path, []), rates, 3600)
    await watched.perform(JOB, lambda _told: None)
    assert rates.seconds(size_of(JOB)) == pytest.approx(25, abs=0.1)
    monkeypatch.setattr(watchdog, "SILENT_S", 2.0)
    rates.observe(size_of(JOB), -15.0)  # 5 s, of which five times as many are allowed
    assert rates.seconds(size_of(JOB)) == pytest.approx(5, abs=0.1)
    began = trio.current_time()
    with pytest.raises(StuckError, match="time budget"):
        await watched.perform(JOB, lambda _told: None)
    assert trio.current_time() - began == pytest.approx(108, abs=3)
