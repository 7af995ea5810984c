"""Progress of what lasts, for a person who watches standard error: a bar, after two seconds, that goes away again."""

import contextlib
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING

from node.cli.lines import is_watched, say
from node.text.harmless import harmless

if TYPE_CHECKING:
    from rich.progress import Progress as Bar

_PATIENCE_S = 2.0  # before a person is told what is waited for
_BAR_COLUMNS = 24  # of text


class ProgressBar:
    """How far something is. Telling costs next to nothing, whether somebody watches or not."""

    def __init__(self, what: str, *, quiet: bool) -> None:
        self._what, self._done, self._total = what, 0, 0
        self._lock = threading.Lock()  # a timer shows, and the task itself tells
        self._is_over = False
        self._bar: Bar | None = None
        self._timer = threading.Timer(_PATIENCE_S, self._show)
        self._timer.daemon = True
        if not quiet and is_watched():
            self._timer.start()

    def tell(self, what: str = "", *, done: int = 0, total: int = 0) -> None:
        """Say what is done now, and how much of it is; a `total` of 0 if nobody knows how much there will be."""
        with self._lock:
            self._what, self._done, self._total = what or self._what, done, total
            self._update()

    def close(self) -> None:
        """Take the bar away."""
        self._timer.cancel()
        with self._lock:
            self._is_over = True
            if self._bar is not None:
                self._bar.stop()

    def _show(self) -> None:
        bar = _open_bar()
        with self._lock:
            if self._is_over:
                return
            if bar is None:
                say(f"{self._what} ...")
                return
            self._bar = bar
            self._update()
            bar.start()

    def _update(self) -> None:
        if self._bar is not None:
            of = f" of {self._total:,}" if self._total else ""
            count = f"{self._done:,}{of}" if self._done or self._total else ""
            task, total = self._bar.task_ids[0], self._total or None
            self._bar.update(task, description=harmless(self._what), completed=self._done, total=total, count=count)


def _open_bar() -> "Bar | None":
    """Return a bar on standard error that is not shown yet; None where lines cannot be written over."""
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bar

    console = Console(stderr=True)
    if console.is_dumb_terminal:
        return None
    what, count = TextColumn("{task.description}", markup=False), TextColumn("{task.fields[count]}", markup=False)
    columns = (what, BarColumn(bar_width=_BAR_COLUMNS), count, TimeElapsedColumn())
    bar = Bar(*columns, console=console, transient=True, redirect_stdout=False, redirect_stderr=False)
    bar.add_task("", total=None, count="")
    return bar


@contextlib.contextmanager
def showing_progress(what: str, *, quiet: bool = False) -> Iterator[ProgressBar]:
    """Show what is waited for, if it lasts for two seconds, somebody watches, and it is not to be `quiet` (--json)."""
    progress = ProgressBar(what, quiet=quiet)
    try:
        yield progress
    finally:
        progress.close()
