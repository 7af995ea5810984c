"""How all tables of the command line look: a title, dim headings, numbers to the right, states in colour."""

from collections.abc import Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Console, JustifyMethod
from rich.table import Table
from rich.text import Text

from node.text.formatting import short
from node.text.harmless import harmless

Cells = Sequence[str | Text]
"""The cells of one row."""

_PIPED_COLUMNS = 240  # of text; a file or a pipe has no width of its own
_GAP = 3  # columns of text between two columns of the table
_FREE_TEXT = "reason"  # the heading whose cells may be wrapped
_FREE_TEXT_WIDTH = 16
_LEAST_LIMIT = 24  # columns of text for a column of the table that would need more than half of the terminal

_STYLES = {
    "this node": "cyan",
    "ok": "green",
    "silent": "yellow",
    "never": "dim",
    "refused": "red",
    "ripe": "cyan",
    "promoted": "bold green",
    "rejected": "red",
    "dropped": "red",
    "canonical": "bold green",
    "earlier": "dim",
    "complete": "green",
    "being sealed": "yellow",
    "left": "dim",
    "no vote": "red",
    "open": "cyan",
    "sent": "yellow",
    "approved": "green",
    "in force": "bold green",
}


class OutputConsole(Console):
    """A console that raises BrokenPipeError when its reader has gone; rich's own ends the process there and then."""

    def on_broken_pipe(self) -> None:
        """Raise what `Console` has just caught."""
        raise


def open_console() -> Console:
    """Return standard output as rich writes to it; wide where it is not a terminal."""
    console = OutputConsole(highlight=False)
    return console if console.is_terminal else OutputConsole(highlight=False, width=_PIPED_COLUMNS)


def print_table(console: Console, title: str, columns: Sequence[str], rows: Sequence[Cells], empty: str) -> None:
    """Print rows under their headings, or `empty` if there are no rows.

    A heading that begins with # is of numbers. One that begins with ? is left out where the terminal is too narrow,
    the last of them first: a table that lacks a column reads better than one with every cell cut.
    """
    console.print(Text(harmless(title), style="bold"), end="")
    if not rows:
        console.print(f": {empty}", markup=False)
        return
    console.print()
    most = max(_LEAST_LIMIT, console.width // 2)  # for one column: a name of very many letters must not hide the others
    needed = [_column_width(heading, [row[number] for row in rows]) for number, heading in enumerate(columns)]
    widths = [width if width <= most else _LEAST_LIMIT for width in needed]
    shown = list(range(len(columns)))
    optional = [number for number in shown if columns[number].startswith("?")]
    while optional and sum(widths[number] + _GAP for number in shown) - _GAP > console.width:
        shown.remove(optional.pop())
    table = Table(box=SIMPLE_HEAD, show_edge=False, header_style="dim", pad_edge=False)
    for number in shown:
        heading = columns[number].removeprefix("?")
        justify: JustifyMethod = "right" if heading.startswith("#") else "left"
        is_too_wide = needed[number] > most
        table.add_column(
            heading.removeprefix("#"),
            justify=justify,
            no_wrap=heading != _FREE_TEXT and not is_too_wide,
            overflow="fold" if is_too_wide else "ellipsis",
            min_width=None if is_too_wide else widths[number],
        )
    for row in rows:
        table.add_row(*(_text(row[number]) for number in shown))
    console.print(table)
    console.print()


def _column_width(heading: str, cells: Sequence[str | Text]) -> int:
    """Return the least width of a column, in columns of text."""
    if heading == _FREE_TEXT:
        return _FREE_TEXT_WIDTH
    return max(len(heading.lstrip("?#")), *(_text(cell).cell_len for cell in cells))


def _text(cell: str | Text) -> Text:
    return cell if isinstance(cell, Text) else Text(harmless(cell))


def state_text(name: str) -> Text:
    """Return the name of a state in its colour."""
    return Text(harmless(name), style=_STYLES.get(name, ""))


def model_text(digest: str, *, is_uniform: bool) -> str:
    """Return a model's shortened digest, or the name of the built-in one."""
    return "uniform (built in)" if is_uniform else short(digest)
