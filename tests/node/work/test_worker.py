"""What a job runner promises: results and progress come through, and no fault of a child outlives its job."""

import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import trio

from node.work.worker import WorkerProcess, WorkError

CHILD = """
import os, struct, sys, time
import cbor2

def read():
    head = sys.stdin.buffer.read(4)
    return cbor2.loads(sys.stdin.buffer.read(struct.unpack(">I", head)[0])) if len(head) == 4 else None

def write(message):
    body = cbor2.dumps(message)
    sys.stdout.buffer.write(struct.pack(">I", len(body)) + body)
    sys.stdout.buffer.flush()

while (job := read()) is not None:
    name = job["id"]
    if job["job"] == "die":
        os.kill(os.getpid(), 9)
    elif job["job"] == "fail":
        write({"id": name, "error": "no such thing"})
    elif job["job"] == "babble":
        sys.stdout.buffer.write(b"\\xff\\xff\\xff\\xff")
        sys.stdout.buffer.flush()
    elif job["job"] == "mumble":
        sys.stdout.buffer.write(b"\\0\\0\\0\\3\\xff\\xff\\xff")
        sys.stdout.buffer.flush()
    elif job["job"] == "hang":
        write({"id": name, "progress": {"done": 0}})
        time.sleep(600)
    else:
        for done in range(3):
            write({"id": name, "progress": {"done": done}})
        write({"id": name, "done": {"pid": os.getpid(), "echo": job["echo"]}})
"""


@pytest.fixture
async def worker(tmp_path: Path) -> AsyncIterator[WorkerProcess]:
    script = tmp_path / "child.py"
    script.write_text(CHILD)
    shop = WorkerProcess(tmp_path / "worker.log", (sys.executable, str(script)))
    yield shop
    await shop.aclose()


async def test_results_and_progress_come_back_and_the_child_stays(worker: WorkerProcess) -> None:
    seen: list[int] = []
    first = await worker.perform({"job": "echo", "echo": b"a"}, lambda told: seen.append(told["done"]))
    second = await worker.perform({"job": "echo", "echo": b"b"}, lambda _told: None)
    assert (first["echo"], second["echo"], seen) == (b"a", b"b", [0, 1, 2])
    assert first["pid"] == second["pid"]


async def test_a_job_that_fails_leaves_the_child_for_the_next(worker: WorkerProcess) -> None:
    first = await worker.perform({"job": "echo", "echo": b"a"}, lambda _told: None)
    with pytest.raises(WorkError, match="no such thing"):
        await worker.perform({"job": "fail"}, lambda _told: None)
    second = await worker.perform({"job": "echo", "echo": b"b"}, lambda _told: None)
    assert first["pid"] == second["pid"]


@pytest.mark.parametrize(
    ("job", "reason"),
    [("die", "SIGKILL"), ("babble", "frame of 4294967295 bytes"), ("mumble", "not CBOR")],
)
async def test_a_child_that_dies_or_babbles_costs_one_job(worker: WorkerProcess, job: str, reason: str) -> None:
    with pytest.raises(WorkError, match=reason):
        await worker.perform({"job": job}, lambda _told: None)
    done = await worker.perform({"job": "echo", "echo": b"b"}, lambda _told: None)
    assert done["echo"] == b"b"


async def test_cancelling_a_job_kills_the_child(worker: WorkerProcess) -> None:
    started = trio.Event()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(worker.perform, {"job": "hang"}, lambda _told: started.set())
        await started.wait()
        pid = worker.pid
        nursery.cancel_scope.cancel()
    assert pid is not None
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


async def test_a_program_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    shop = WorkerProcess(tmp_path / "worker.log", (str(tmp_path / "nothing"),))
    with pytest.raises(WorkError, match="worker process: "):
        await shop.perform({"job": "echo", "echo": b""}, lambda _told: None)
