"""`ringrift-node ratings`: how strong the models are, by their games against fixed opponents and each other."""

import argparse

from rich.console import Console

from node.api.ratings import RatingInfo
from node.cli.reading import add_node_options, read_and_show
from node.cli.tables import Cells, print_table
from node.text.formatting import count, short

_COLUMNS = ("configuration", "player", "model", "#promotion", "#rating", "#error", "#blocks", "state")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `ratings`."""
    add_node_options(parser)


def main(options: argparse.Namespace) -> int:
    """Show the ratings; return 0."""
    return read_and_show(options, "/ratings", _show)


def _show(console: Console, ratings: list[RatingInfo]) -> None:
    title = "Ratings: the heuristic has 1500, 400 points are odds of 10 to 1"
    print_table(console, title, _COLUMNS, [_row(entry) for entry in ratings], "nothing has been rated yet")


def _row(entry: RatingInfo) -> Cells:
    player = f"search-{entry['simulations']}" if entry["player"] == "search" else entry["player"]
    return (
        entry["configuration"],
        player,
        "–" if entry["model"] is None else short(entry["model"]),
        "–" if entry["number"] is None else count(entry["number"]),
        f"{entry['rating']:.0f}",
        f"{entry['error']:.0f}",
        count(entry["blocks"]),
        _state(entry),
    )


def _state(entry: RatingInfo) -> str:
    if not entry["canonical"]:
        return "–"
    return "weaker than before" if entry["weaker"] else "stalled" if entry["stalled"] else "canonical"
