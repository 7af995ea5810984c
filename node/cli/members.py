"""`ringrift-node members`: the members as a running node sees them."""

import argparse

from rich.console import Console

from node.api.members import MemberInfo
from node.cli.reading import add_node_options, read_and_show
from node.cli.tables import Cells, print_table, state_text
from node.text.formatting import ago, count, offer, short

_COLUMNS = (
    "name", "?id", "?address", "state", "#weight", "?standing", "works on",
    "?#events", "#games", "#contact", "?#lacks", "?offers",
)  # fmt: skip


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `members`."""
    add_node_options(parser)


def main(options: argparse.Namespace) -> int:
    """Show the members; return 0."""
    return read_and_show(options, "/members", print_members)


def print_members(console: Console, members: list[MemberInfo]) -> None:
    """Print the members."""
    shown = len(_COLUMNS) if any(offer(member) for member in members) else len(_COLUMNS) - 1
    rows = [_member_row(member)[:shown] for member in members]
    print_table(console, "Members", _COLUMNS[:shown], rows, "none")


def _member_row(member: MemberInfo) -> Cells:
    is_self = member["state"] == "self"
    return (
        member["name"],
        short(member["id"]),
        member["address"],
        state_text("this node" if is_self else member["state"]),
        count(member["weight"]),
        state_text(member["standing"]),
        member["work"] or "–",
        count(member["events"]),
        count(member["games"]),
        "–" if is_self else ago(member["last_contact_s"]),
        count(member["lag_events"]),
        offer(member) or "–",
    )
