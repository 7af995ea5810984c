"""Progress: a bar that comes after a while and goes away, for who watches a terminal, and nothing for anybody else."""

import io
import re
import sys
import time
from collections.abc import Callable

import pytest

from node.cli import progress
from node.cli.progress import showing_progress

_CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\r")


class Terminal(io.StringIO):
    """Standard error as a person sees it."""

    def isatty(self) -> bool:
        return True

    def words(self) -> str:
        return _CONTROL.sub("", self.getvalue())


def open_terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """Make standard error one. Not a fixture: pytest puts its own in place before the test begins."""
    screen = Terminal()
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setattr(progress, "_PATIENCE_S", 0.02)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "100")
    return screen


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_bar_shows_what_is_done_and_how_much_and_goes_away(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = open_terminal(monkeypatch)
    with showing_progress("reading") as bar:
        wait_for(lambda: "reading" in terminal.words())
        bar.tell("replaying \x1b[2Jgames", done=1500, total=2000)
        wait_for(lambda: "1,500 of 2,000" in terminal.words())
        assert "\x1b[2J" not in terminal.getvalue(), "what others wrote obeys nobody here"
        bar.tell("packing", done=3)
        wait_for(lambda: "packing" in terminal.words())
    assert re.search(r"\x1b\[1A\x1b\[2K$", terminal.getvalue().replace("\x1b[?25h", "")), "the line is taken away"


def test_what_is_over_at_once_shows_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = open_terminal(monkeypatch)
    monkeypatch.setattr(progress, "_PATIENCE_S", 30.0)
    with showing_progress("reading") as bar:
        bar.tell(done=1, total=2)
    assert terminal.getvalue() == ""


@pytest.mark.parametrize("case", ["no terminal", "--json"])
def test_who_does_not_watch_is_left_alone(case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = open_terminal(monkeypatch)
    if case == "no terminal":
        monkeypatch.setattr(terminal, "isatty", lambda: False)
    with showing_progress("reading", quiet=case == "--json") as bar:
        time.sleep(0.1)
        bar.tell(done=1, total=2)
    assert terminal.getvalue() == ""


def test_where_lines_cannot_be_written_over_one_line_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = open_terminal(monkeypatch)
    monkeypatch.setenv("TERM", "dumb")
    with showing_progress("reading") as bar:
        wait_for(lambda: bool(terminal.getvalue()))
        bar.tell("replaying", done=1, total=2)
    assert terminal.getvalue() == "reading ...\n"


def test_a_failure_takes_the_bar_away_too(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = open_terminal(monkeypatch)

    def fail() -> None:
        with showing_progress("reading"):
            wait_for(lambda: "reading" in terminal.words())
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert terminal.getvalue().endswith(("\x1b[2K", "\x1b[?25h"))
