"""A signal begins the end of a node and a second one ends it; so does standard input, with --attended."""

import os
import signal
import sys
from pathlib import Path

import pytest
import trio

from node.system.shutdown import end_on_signal, end_with_input


@pytest.mark.parametrize("what", ["a pipe without writer", "a folder", "a file", "closed"])
async def test_the_end_of_input_cancels(what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("x")
    if what == "a pipe without writer":
        reading, writing = os.pipe()
        os.close(writing)
    else:
        reading = os.open(tmp_path if what == "a folder" else tmp_path / "file", os.O_RDONLY)

    class Input:
        def fileno(self) -> int:
            return -1 if what == "closed" else reading

    monkeypatch.setattr(sys, "stdin", Input())
    with trio.fail_after(5), trio.CancelScope() as scope:
        await end_with_input(scope)
        await trio.sleep_forever()
    assert scope.cancelled_caught
    os.close(reading)


@pytest.mark.parametrize("first", [signal.SIGTERM, signal.SIGINT])
async def test_the_first_signal_begins_the_end_and_the_second_is_the_end(first: signal.Signals) -> None:
    begun: list[bool] = []
    with trio.fail_after(5):
        async with trio.open_nursery() as nursery:
            await nursery.start(end_on_signal, nursery.cancel_scope, lambda: begun.append(True))
            os.kill(os.getpid(), first)
            while not begun:
                await trio.sleep(0.01)
            await trio.sleep(0.05)
            assert not nursery.cancel_scope.cancel_called
            os.kill(os.getpid(), signal.SIGTERM)
            await trio.sleep_forever()
