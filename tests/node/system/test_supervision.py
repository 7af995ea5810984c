"""A part that fails is told, and starts again; the others go on. What must end the node does."""

import pytest
import trio
from structlog.testing import capture_logs
from trio.testing import MockClock

from node.system.supervision import RestartingSupervisor, Unsupervised, VitalPartError, run_vital


class DiskError(Exception):
    """Stands for an error after which nobody may go on."""


class Part:
    """Fails so many times, each time after `lasts_s`, then runs on."""

    def __init__(self, *failures: Exception, lasts_s: float = 0.0) -> None:
        self.failures = list(failures)
        self.lasts_s = lasts_s
        self.started_at: list[float] = []

    async def run(self) -> None:
        self.started_at.append(trio.current_time())
        await trio.sleep(self.lasts_s)
        if self.failures:
            raise self.failures.pop(0)
        await trio.sleep_forever()

    async def serve(self, port: int, *, task_status: trio.TaskStatus[int]) -> None:
        if self.failures and port == 0:
            raise self.failures.pop(0)
        task_status.started(port)
        await self.run()


@pytest.fixture
def supervisor() -> RestartingSupervisor:
    return RestartingSupervisor((DiskError,))


async def test_a_part_starts_again_after_pauses_that_double(
    supervisor: RestartingSupervisor, autojump_clock: MockClock
) -> None:
    part, other = Part(*(ValueError(f"line\n{n}") for n in range(9))), Part()
    begun_at = trio.current_time()
    with capture_logs() as logs:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(supervisor.run, "gossip", part.run)
            nursery.start_soon(supervisor.run, "work", other.run)
            await trio.sleep(100)
            (waiting,) = supervisor.failures
            assert waiting.again_at is not None
            assert waiting.again_at > trio.current_time()
            await trio.sleep(900)
            nursery.cancel_scope.cancel()
    pauses = [later - earlier for earlier, later in zip(part.started_at, part.started_at[1:], strict=False)]
    assert pauses == pytest.approx([1, 2, 4, 8, 16, 32, 60, 60, 60])
    assert other.started_at == [begun_at]
    (failure,) = supervisor.failures
    assert (failure.part, failure.reason, failure.count) == ("gossip", "ValueError: line 8", 9)
    assert failure.again_at is None
    assert [(entry["event"], entry["part"], entry["log_level"]) for entry in logs] == [
        ("part failed", "gossip", "error")
    ] * 9
    assert all(isinstance(entry["exc_info"], ValueError) for entry in logs)


async def test_after_a_long_good_run_the_first_pause_is_short_again(
    supervisor: RestartingSupervisor, autojump_clock: MockClock
) -> None:
    part = Part(ValueError(), ValueError(), ValueError(), lasts_s=100)
    with trio.move_on_after(1000):
        await supervisor.run("gossip", part.run)
    pauses = [later - earlier - 100 for earlier, later in zip(part.started_at, part.started_at[1:], strict=False)]
    assert pauses == pytest.approx([1, 1, 1])


@pytest.mark.parametrize(
    "error", [DiskError("full"), ExceptionGroup("", [ValueError(), ExceptionGroup("", [DiskError()])])]
)
async def test_what_must_end_the_node_does(supervisor: RestartingSupervisor, error: Exception) -> None:
    for run in (supervisor.run, supervisor.attempt):
        with pytest.raises(type(error)):
            await run("pruning", Part(error).run)
    assert not supervisor.failures


async def test_cancellation_passes_and_a_part_may_return(supervisor: RestartingSupervisor) -> None:
    async def return_at_once() -> None:
        await trio.lowlevel.checkpoint()

    await supervisor.run("short", return_at_once)
    with trio.move_on_after(0) as scope:
        await supervisor.run("long", trio.sleep_forever)
    assert scope.cancelled_caught
    assert not supervisor.failures


async def test_a_part_that_cannot_start_raises_and_one_that_fails_later_starts_again(
    supervisor: RestartingSupervisor, autojump_clock: MockClock
) -> None:
    async with trio.open_nursery() as nursery:
        with pytest.raises(OSError, match="taken"):
            await nursery.start(supervisor.run, "serving", Part(OSError("taken")).serve, 0)
        part = Part(ValueError())
        assert await nursery.start(supervisor.run, "serving", part.serve, 7400) == 7400
        await trio.sleep(10)
        assert len(part.started_at) == 2
        nursery.cancel_scope.cancel()


async def test_one_attempt_of_many_fails_alone(supervisor: RestartingSupervisor) -> None:
    with capture_logs() as logs:
        await supervisor.attempt("contact", Part(ExceptionGroup("", [KeyError("x")])).run)
    assert [entry["event"] for entry in logs] == ["part failed"]
    (failure,) = supervisor.failures
    assert (failure.part, failure.reason, failure.again_at) == ("contact", "KeyError: 'x'", None)


async def test_without_supervision_every_error_comes_through() -> None:
    with pytest.raises(ValueError, match="seen"):
        await Unsupervised().run("gossip", Part(ValueError("seen")).run)
    with pytest.raises(ValueError, match="seen"):
        await Unsupervised().attempt("gossip", Part(ValueError("seen")).run)
    async with trio.open_nursery() as nursery:
        assert await nursery.start(Unsupervised().run, "serving", Part().serve, 1) == 1
        nursery.cancel_scope.cancel()


async def test_a_vital_part_ends_with_one_line() -> None:
    async with trio.open_nursery() as nursery:
        with (
            capture_logs() as logs,
            pytest.raises(VitalPartError, match=r"ordering failed \(ValueError: odd\)") as ended,
        ):
            await nursery.start(lambda task_status: run_vital(
                "ordering", Part(ValueError("odd")).serve, 0, expected=(DiskError,), task_status=task_status
            ))  # fmt: skip
        assert "\n" not in str(ended.value)
        assert [entry["event"] for entry in logs] == ["part failed"]
        with pytest.raises(DiskError):
            await nursery.start(lambda task_status: run_vital(
                "ordering", Part(DiskError()).serve, 0, expected=(DiskError,), task_status=task_status
            ))  # fmt: skip
