"""`ringrift-node proposals`: the proposals to change the roster or what the swarm does, and their votes."""

import argparse

from rich.console import Console

from node.api.proposals import ProposalInfo
from node.cli.reading import add_node_options, read_and_show
from node.cli.tables import Cells, print_table, state_text
from node.text.formatting import age, count, short

_COLUMNS = ("proposal", "change", "?by", "state", "votes", "?#ends in", "reason")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `proposals`."""
    add_node_options(parser)


def main(options: argparse.Namespace) -> int:
    """Show the proposals; return 0."""
    return read_and_show(options, "/proposals", _show)


def _show(console: Console, proposals: list[ProposalInfo]) -> None:
    print_table(console, "Proposals", _COLUMNS, [_proposal_row(entry) for entry in proposals], "none")


def _proposal_row(entry: ProposalInfo) -> Cells:
    return (
        short(entry["proposal"]),
        entry["text"] if entry["known"] else f"{entry['text']} (this program does not know it)",
        entry["by_name"] or "the genesis",
        state_text(entry["state"]),
        f"{count(entry['approve'])} : {count(entry['reject'])}, needs {count(entry['needs'])}",
        "–" if entry["ends_s"] is None else age(entry["ends_s"]),
        f"{entry['reason']}: {entry['outcome']}" if entry["outcome"] else entry["reason"],
    )
