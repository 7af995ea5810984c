"""Standard input that ends, or cannot be read, ends a node that was started with --attended."""

import os
import sys
from pathlib import Path

import pytest
import trio

from node.system.shutdown import end_with_input


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
