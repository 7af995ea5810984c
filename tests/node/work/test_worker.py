"""What a job runner promises: results and progress come through, and no fault of a child outlives its job."""

import os
import shutil
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import trio

from node.work.worker import WorkerProcess, WorkError

CHILD = """
import os, signal, struct, sys, time
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
        number = job.get("signal", signal.SIGKILL)
        if number != signal.SIGKILL:
            signal.signal(number, signal.SIG_DFL)  # under nohup, SIGHUP is ignored
        os.kill(os.getpid(), number)
    elif job["job"] == "exit":
        os._exit(job["status"])
    elif job["job"] == "raw":
        sys.stdout.buffer.write(job["bytes"])
        sys.stdout.buffer.flush()
    elif job["job"] == "say":
        write({"id": name, **job["answer"]})
    elif job["job"] == "shout":
        for _ in range(300):
            os.write(2, bytes(10_000))
        write({"id": name, "done": {}})
    elif job["job"] == "fail":
        write({"id": name, "error": "no such thing"})
    elif job["job"] == "babble":
        sys.stdout.buffer.write(b"\\xff\\xff\\xff\\xff")
        sys.stdout.buffer.flush()
    elif job["job"] == "mumble":
        sys.stdout.buffer.write(b"\\0\\0\\0\\3\\xff\\xff\\xff")
        sys.stdout.buffer.flush()
    elif job["job"] == "wait":
        write({"id": name, "progress": {"done": 0}})
        write({"id": name, "done": read()})
    elif job["job"] == "hang":
        write({"id": name, "progress": {"done": 0}})
        time.sleep(600)
    else:
        for done in range(3):
            write({"id": name, "progress": {"done": done}})
        write({"id": name, "done": {"pid": os.getpid(), "echo": job["echo"], "folder": os.getcwd()}})
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


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGSEGV, signal.SIGKILL, signal.SIGRTMIN, 40, 64])
async def test_whatever_signal_ends_a_child_costs_one_job(worker: WorkerProcess, number: int) -> None:
    """Most real-time signals have no name."""
    with pytest.raises(WorkError, match=r"worker process ended: killed by (SIG\w+|signal \d+);"):
        await worker.perform({"job": "die", "signal": number}, lambda _told: None)


@pytest.mark.parametrize("status", [0, 1, 120, 255])
async def test_whatever_status_a_child_ends_with_costs_one_job(worker: WorkerProcess, status: int) -> None:
    with pytest.raises(WorkError, match=f"worker process ended: exit status {status};"):
        await worker.perform({"job": "exit", "status": status}, lambda _told: None)
    assert (await worker.perform({"job": "echo", "echo": b"b"}, lambda _told: None))["echo"] == b"b"


def _framed(body: bytes) -> bytes:
    return len(body).to_bytes(4, "big") + body


@pytest.mark.parametrize(
    "sent",
    [
        _framed(b""),
        _framed(b"\x80"),
        _framed(b"\x81" * 5000 + b"\x80"),  # nested too deep
        _framed(b"\xa1\x80\x00"),  # a key that cannot be hashed
        _framed(b"\xc1\xfb\x7f\xf8" + bytes(6)),  # a date that is not a number
        _framed(b"\xd8\x23\x61("),  # a regular expression that is not one
        _framed(b"\xa1\x62id\x61x"),  # an answer to somebody else, and then the end
        b"\0\0\0",
        _framed(b"\xa0" * 3),
    ],
)
async def test_whatever_a_child_sends_costs_one_job(worker: WorkerProcess, sent: bytes) -> None:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_end_soon, worker)
        with pytest.raises(WorkError):
            await worker.perform({"job": "raw", "bytes": sent}, lambda _told: None)
        nursery.cancel_scope.cancel()
    assert (await worker.perform({"job": "echo", "echo": b"b"}, lambda _told: None))["echo"] == b"b"


async def _end_soon(worker: WorkerProcess) -> None:
    """End a child that waits for its next job, as its answer was not understood as one."""
    await trio.sleep(0.5)
    if (pid := worker.pid) is not None:
        os.kill(pid, signal.SIGKILL)


@pytest.mark.parametrize("answer", [{"progress": 3}, {"done": [1]}, {"done": None}, {"error": None}, {}])
async def test_an_answer_of_another_form_costs_one_job(worker: WorkerProcess, answer: dict[str, object]) -> None:
    with pytest.raises(WorkError):
        await worker.perform({"job": "say", "answer": answer}, lambda _told: None)


async def test_a_report_that_fails_costs_one_job_and_an_assertion_of_ours_passes(worker: WorkerProcess) -> None:
    def misread(_told: object) -> None:
        raise ValueError("misread")

    with pytest.raises(WorkError, match="ValueError: misread"):
        await worker.perform({"job": "echo", "echo": b""}, misread)

    def insist(_told: object) -> None:
        raise AssertionError

    with pytest.raises(AssertionError):
        await worker.perform({"job": "echo", "echo": b""}, insist)
    assert worker.pid is None


async def test_a_job_that_no_message_can_hold_costs_itself(worker: WorkerProcess) -> None:
    """A folder whose name is not UTF-8 has a path with lone surrogates."""
    with pytest.raises(WorkError, match="worker process: "):
        await worker.perform({"job": "echo", "echo": "/data/\udcff"}, lambda _told: None)


async def test_the_log_of_a_child_is_bounded_and_its_loss_costs_nothing(tmp_path: Path) -> None:
    script = tmp_path / "child.py"
    script.write_text(CHILD)
    folder = tmp_path / "odd \n'\u202e name"
    folder.mkdir()
    log = folder / "worker.log"
    shop = WorkerProcess(log, (sys.executable, str(script)))
    await shop.perform({"job": "shout"}, lambda _told: None)
    with trio.fail_after(10):
        while not log.with_name("worker.log.1").exists() or log.stat().st_size < 500_000:
            await trio.sleep(0.01)
    assert sum(file.stat().st_size for file in folder.iterdir()) <= 4 * 1024 * 1024
    for make in (os.mkfifo, os.mkdir, lambda path: path.symlink_to("/dev/full"), lambda path: path.symlink_to(path)):
        log.unlink(missing_ok=True)
        make(log)
        with trio.fail_after(10):
            await shop.perform({"job": "shout"}, lambda _told: None)
        await shop.aclose()
        if log.is_dir():
            log.rmdir()
    with trio.fail_after(10):
        while folder.exists():  # what is left of the child's words may still be written
            shutil.rmtree(folder, ignore_errors=True)
            await trio.sleep(0.01)
    await shop.perform({"job": "shout"}, lambda _told: None)
    await shop.aclose()
    await shop.perform({"job": "shout"}, lambda _told: None)
    await shop.aclose()


@pytest.mark.parametrize("command", [(), ("a\0b",), ("/",), ("\udcff",)])
async def test_a_command_that_cannot_be_started_is_one_line(tmp_path: Path, command: tuple[str, ...]) -> None:
    shop = WorkerProcess(tmp_path / "worker.log", command)
    with pytest.raises(WorkError, match="worker process: ") as failure:
        await shop.perform({"job": "echo", "echo": b""}, lambda _told: None)
    assert "\n" not in str(failure.value)


async def test_a_child_does_not_work_in_our_folder_which_may_be_deleted(
    worker: WorkerProcess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    done = await worker.perform({"job": "echo", "echo": b"a"}, lambda _told: None)
    assert done["folder"] == "/"


@pytest.mark.parametrize("is_early", [False, True])
async def test_a_child_is_told_when_it_is_enough(tmp_path: Path, is_early: bool) -> None:
    script = tmp_path / "child.py"
    script.write_text(CHILD)
    enough = trio.Event()
    shop = WorkerProcess(tmp_path / "worker.log", (sys.executable, str(script)), {}, enough)
    assert (await shop.perform({"job": "echo", "echo": b"a"}, lambda _told: None))["echo"] == b"a"
    if is_early:
        enough.set()
    with trio.fail_after(10):
        assert await shop.perform({"job": "wait"}, lambda _told: enough.set()) == {"enough": 2}
    await shop.aclose()
