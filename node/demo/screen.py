"""What the demo shows: a table of the nodes, refreshed in place, and a line for each effect of the order."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

COLOURS = {
    "claim": "dim",
    "games": "cyan",
    "candidate": "yellow",
    "result": "blue",
    "ripe": "blue",
    "vote": "magenta",
    "promotion": "bold green",
    "certificate": "bold green",
    "dropped": "red",
    "node": "bold",
}


@dataclass(frozen=True, kw_only=True)
class NodeRow:
    """One node as the table shows it."""

    name: str
    answers: bool
    work: str = ""
    games: int = 0
    events: int = 0
    round: int = 0
    round_age_s: float = 0.0


class Screen:
    """A live table on a terminal; plain lines if the output is not a terminal."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._rows: Sequence[NodeRow] = ()
        self._headline = ""
        self._live: Live | None = None
        if console.is_terminal:
            self._live = Live(self._render(), console=console, refresh_per_second=4, transient=False)

    def __enter__(self) -> "Screen":
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live is not None:
            self._live.update(self._render(), refresh=True)
            self._live.stop()

    def print_event(self, kind: str, at_s: float, text: str) -> None:
        """Print a line about what happened `at_s` seconds after the start; it scrolls above the table."""
        line = Text(f"{at_s:6.1f} s  ", style="dim")
        line.append(f"{kind:<12}", style=COLOURS.get(kind, ""))
        line.append(text, style=COLOURS.get(kind, "") if kind in ("promotion", "certificate") else "")
        self._console.print(line, soft_wrap=True)

    def show(self, headline: str, rows: Sequence[NodeRow]) -> None:
        """Replace the table."""
        self._headline, self._rows = headline, rows
        if self._live is not None:
            self._live.update(self._render())

    def _render(self) -> Group:
        table = Table(title=self._headline, title_justify="left", title_style="bold", expand=False)
        table.add_column("node", style="bold")
        table.add_column("work", min_width=44)
        for heading in ("games", "events", "round", "age"):
            table.add_column(heading, justify="right", min_width=6)
        for row in self._rows:
            if not row.answers:
                table.add_row(row.name, "not answering", "", "", "", "", style="red")
                continue
            table.add_row(
                row.name, row.work, f"{row.games:,}", f"{row.events:,}", f"{row.round:,}", f"{row.round_age_s:.1f} s"
            )
        return Group(table)


def work_text(work: dict[str, Any] | None) -> str:
    """Format the `work` object of a node's status in a few words."""
    if work is None:
        return "waiting"
    text = f"{work['kind']} {work['subject']}"
    if work.get("wished"):
        text += f"  {work.get('done', 0):,} of {work['wished']:,}"
    return text
