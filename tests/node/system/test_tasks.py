"""Tasks that end together: results come out, errors by themselves, and nothing is left running."""

from collections.abc import Awaitable, Callable

import pytest
import trio
from trio.testing import MockClock

from node.system.tasks import run_all, run_unless, wait_until


class Task:
    """Sleeps, and then returns or raises; remembers whether it came to its end."""

    def __init__(self, seconds: float, error: Exception | None = None) -> None:
        self.seconds, self.error, self.ended = seconds, error, False

    async def __call__(self) -> int:
        await trio.sleep(self.seconds)
        self.ended = True
        if self.error is not None:
            raise self.error
        return 7


async def test_all_tasks_run_side_by_side(autojump_clock: MockClock) -> None:
    tasks = [Task(3), Task(5), Task(4)]
    await run_all(*tasks)
    assert trio.current_time() == 5
    assert all(task.ended for task in tasks)


async def test_the_first_error_ends_the_others_and_is_not_in_a_group(autojump_clock: MockClock) -> None:
    error, late = ValueError("first"), Task(3, KeyError("late"))
    with pytest.raises(ValueError, match="first") as caught:
        await run_all(Task(1), Task(2, error), late)
    assert caught.value is error
    assert trio.current_time() == 2
    assert not late.ended


async def test_of_errors_at_one_time_one_is_raised(autojump_clock: MockClock) -> None:
    with pytest.raises(ValueError, match="same time"):
        await run_all(Task(1, ValueError("same time")), Task(1, ValueError("same time")))


async def test_work_that_ends_first_gives_its_result_and_ends_its_watchers(autojump_clock: MockClock) -> None:
    watcher = Task(2)
    assert await run_unless(Task(1), watcher, trio.sleep_forever) == 7
    assert not watcher.ended
    assert trio.current_time() == 1


async def test_a_watcher_that_returns_ends_the_work(autojump_clock: MockClock) -> None:
    work = Task(3)
    assert await run_unless(work, Task(2), Task(9)) is None
    assert not work.ended
    assert trio.current_time() == 2


async def test_an_error_of_the_work_is_not_in_a_group(autojump_clock: MockClock) -> None:
    with pytest.raises(ValueError, match="broken"):
        await run_unless(Task(1, ValueError("broken")), Task(2))
    assert trio.current_time() == 1


async def test_an_error_of_a_watcher_is_in_a_group(autojump_clock: MockClock) -> None:
    work = Task(3)
    with pytest.raises(ExceptionGroup) as caught:
        await run_unless(work, Task(1, ValueError("broken")))
    assert caught.group_contains(ValueError, match="broken")
    assert not work.ended


@pytest.mark.parametrize("run", [run_all, run_unless])
async def test_cancellation_from_outside_goes_through(
    run: Callable[..., Awaitable[object]], autojump_clock: MockClock
) -> None:
    first, second = Task(3), Task(3)
    with trio.move_on_after(1) as scope:
        await run(first, second)
    assert scope.cancelled_caught
    assert not first.ended
    assert not second.ended


async def test_a_condition_is_looked_at_until_it_holds(autojump_clock: MockClock) -> None:
    await wait_until(lambda: True, 100)
    assert trio.current_time() == 0
    await wait_until(lambda: trio.current_time() > 7, 2)
    assert trio.current_time() == 8
