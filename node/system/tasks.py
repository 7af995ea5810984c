"""Tasks that run side by side and end together, and whose errors come out by themselves; and waiting by looking.

A nursery raises every error in an exception group, which `except` does not look into.
"""

from collections.abc import Awaitable, Callable
from typing import TypeVar

import trio

T = TypeVar("T")


async def run_all(*tasks: Callable[[], Awaitable[object]]) -> None:
    """Run `tasks` until all have returned. The first error cancels the others and is raised."""
    errors: list[Exception] = []

    async def run(task: Callable[[], Awaitable[object]], scope: trio.CancelScope) -> None:
        try:
            await task()
        except Exception as error:
            errors.append(error)
            scope.cancel()

    async with trio.open_nursery() as nursery:
        for task in tasks:
            nursery.start_soon(run, task, nursery.cancel_scope)
    if errors:
        raise errors[0]


async def run_unless(work: Callable[[], Awaitable[T]], *watchers: Callable[[], Awaitable[object]]) -> T | None:
    """Return what `work` returns, or None if one of `watchers`, which run beside it, returned first and cancelled it.

    Raise what `work` raises. An error of a watcher is one of the program, and comes in an exception group.
    """
    result: T | None = None
    failure: Exception | None = None

    async def watch(watcher: Callable[[], Awaitable[object]], scope: trio.CancelScope) -> None:
        await watcher()
        scope.cancel()

    async with trio.open_nursery() as nursery:
        for watcher in watchers:
            nursery.start_soon(watch, watcher, nursery.cancel_scope)
        try:
            result = await work()
        except Exception as error:
            failure = error
        nursery.cancel_scope.cancel()
    if failure is not None:
        raise failure
    return result


async def wait_until(condition: Callable[[], bool], look_s: float) -> None:
    """Return when the condition holds, which is looked at every `look_s`.

    For what depends on the clock, or on several things; `ChangeCounter` wakes who waits for one thing.
    """
    while not condition():
        await trio.sleep(look_s)
