"""What the demo does before its nodes start."""

import sys

import pytest
from rich.console import Console

from node.demo import preparation


@pytest.mark.parametrize("is_json", [False, True])
async def test_the_progress_of_compiling_is_not_among_lines_of_json(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], is_json: bool
) -> None:
    monkeypatch.setattr(preparation, "python_command", lambda *_: (sys.executable, "-c", "print('1 of 5')"))
    await preparation._compile("hex8-2", Console(stderr=is_json))
    output = capfd.readouterr()
    assert (output.err if is_json else output.out) == "1 of 5\n"
    assert (output.out if is_json else output.err) == ""
