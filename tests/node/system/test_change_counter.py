"""A counter that wakes whoever waits for changes."""

import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from node.system.change_counter import ChangeCounter


async def test_each_change_wakes_every_task_that_waits(nursery: trio.Nursery) -> None:
    counter, woken = ChangeCounter(), list[str]()

    async def look(name: str) -> None:
        while True:
            await counter.wait()
            woken.append(f"{name}{counter.count}")

    for name in "ab":
        nursery.start_soon(look, name)
    for number in (1, 2):
        await wait_all_tasks_blocked()
        counter.increment()
        await wait_all_tasks_blocked()
        assert sorted(woken[-2:]) == [f"a{number}", f"b{number}"]
    assert len(woken) == 4
    nursery.cancel_scope.cancel()


async def test_a_change_between_looking_and_waiting_is_not_missed(autojump_clock: MockClock) -> None:
    counter = ChangeCounter()
    seen = counter.count
    counter.increment()
    with trio.fail_after(1):
        await counter.wait_beyond(seen)
    with trio.move_on_after(1) as scope:
        await counter.wait_beyond(counter.count)
    assert scope.cancelled_caught


async def test_waiting_for_several_changes(nursery: trio.Nursery, autojump_clock: MockClock) -> None:
    counter, done = ChangeCounter(), trio.Event()

    async def wait_for_three() -> None:
        await counter.wait_beyond(2)
        done.set()

    nursery.start_soon(wait_for_three)
    for _ in range(3):
        await wait_all_tasks_blocked()
        assert not done.is_set()
        counter.increment()
    with trio.fail_after(1):
        await done.wait()
