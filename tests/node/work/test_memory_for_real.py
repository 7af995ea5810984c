"""A control group with little memory: the guard ends a job in time, and without it the kernel ends the job alone."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
LIMIT_BYTES = 320 << 20

NODE = """
import json, os, sys
from pathlib import Path

group, with_guard, directory = Path(sys.argv[1]), sys.argv[2] == "guarded", Path(sys.argv[3])
(group / "cgroup.procs").write_text(str(os.getpid()))

import trio
from node.work import memory_guard
from node.work.context import WorkProgress
from node.work.drain import Drain
from node.work.limits import WorkLimits
from node.work.memory_guard import MemoryGuard
from node.work.slots import SlotState, WorkerSlot
from node.work.worker import WorkError, WorkerProcess

memory_guard.LOOK_S = 0.05

async def main():
    command = sys.executable, str(directory / "child.py")
    workers = [WorkerProcess(directory / f"{name}.log", command) for name in ("hungry", "modest")]
    slots = [SlotState(WorkerSlot(number + 1), worker, worker) for number, worker in enumerate(workers)]
    limits, said = WorkLimits(), {}
    guard = MemoryGuard(limits, slots, Drain(30))
    tiers = []

    async def watch():
        while True:
            await guard.look()
            tiers.append(limits.memory_tier)
            if limits.memory_tier >= 1:
                said["limit"] = limits.memory.limit_bytes
            await trio.sleep(0.05)

    async with trio.open_nursery() as nursery:
        if with_guard:
            nursery.start_soon(watch)
        said["modest"] = dict(await slots[1].runner.perform({"job": "check", "hungry": False}, lambda _told: None))
        work = dict(kind="train", subject="hex8-2", claim=1, done=0, wished=1)
        slots[0].show(WorkProgress(since=trio.current_time(), **work))
        try:
            await slots[0].runner.perform({"job": "check", "hungry": True}, lambda _told: None)
        except WorkError as error:
            said["error"] = str(error)
        slots[0].forget(1)
        again = await slots[0].runner.perform({"job": "check", "hungry": False}, lambda _told: None)
        said["again"] = dict(again)
        nursery.cancel_scope.cancel()
    said["tiers"] = sorted(set(tiers))
    said["modest lives"] = workers[1].pid == said["modest"]["pid"] or with_guard
    for worker in workers:
        await worker.aclose()
    print(json.dumps(said))

trio.run(main)
"""

CHILD = """
import os, struct, sys, time
import cbor2

with open("/proc/self/oom_score_adj", "w") as file:
    file.write("500")  # as training.worker does
held = []
while len(head := sys.stdin.buffer.read(4)) == 4:
    job = cbor2.loads(sys.stdin.buffer.read(struct.unpack(">I", head)[0]))
    while job["hungry"]:
        held.append(b"x" * (2 << 20))
        time.sleep(0.03)
    body = cbor2.dumps({"id": job["id"], "done": {"pid": os.getpid()}})
    sys.stdout.buffer.write(struct.pack(">I", len(body)) + body)
    sys.stdout.buffer.flush()
"""


@pytest.fixture
def group() -> Iterator[Path]:
    """A control group of version 1 or 2 with a limit on memory."""
    mounted = Path("/sys/fs/cgroup")
    for parent, limit in ((mounted / "memory", "memory.limit_in_bytes"), (mounted, "memory.max")):
        folder = parent / f"ringrift-test-{os.getpid()}"
        try:
            folder.mkdir()
        except OSError as error:
            reason = str(error)
            continue
        try:
            (folder / limit).write_text(str(LIMIT_BYTES))
        except OSError as error:
            reason = str(error)
            folder.rmdir()
            continue
        yield folder
        folder.rmdir()
        return
    pytest.skip(f"no control group with a limit on memory can be made here: {reason}")


@pytest.mark.parametrize("way", ["guarded", "unguarded"])
def test_a_job_that_takes_all_memory_of_its_group_is_ended_alone(group: Path, tmp_path: Path, way: str) -> None:
    for name, text in (("node.py", NODE), ("child.py", CHILD)):
        (tmp_path / name).write_text(text)
    done = subprocess.run(
        [sys.executable, "-P", str(tmp_path / "node.py"), str(group), way, str(tmp_path)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout.splitlines()[-1])
    assert said["again"]["pid"]
    assert said["modest lives"]
    if way == "guarded":
        assert said["limit"] == LIMIT_BYTES, said
        assert "memory is scarce" in said["error"], said
        assert 1 <= said["tiers"][-1] <= 3, said
    else:
        assert "killed by SIGKILL" in said["error"]
