"""`ringrift-node members`: the members as a running node sees them."""

import argparse

from rich.console import Console
from rich.text import Text

from node.api.members import MemberInfo
from node.cli.client import find_node
from node.cli.reading import add_node_options, expecting_form, print_json
from node.cli.tables import Cells, open_console, print_table, state_text
from node.text.formatting import ago, count, offer_in_short, short
from node.text.harmless import harmless, harmless_values

_COLUMNS = (
    "name", "?id", "?address", "state", "#weight", "?standing", "works on",
    "?#events", "#games", "#contact", "?#lacks", "?offers",
)  # fmt: skip


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `members`."""
    add_node_options(parser)


def main(options: argparse.Namespace) -> int:
    """Show the members, and what is missing for a quorum; return 0."""
    client = find_node(options.node, options.data)
    with expecting_form(client, "/members"):
        members = client.json("/members")
    if options.json:
        print_json(members)
        return 0
    with expecting_form(client, "/status or /members"):
        missing = harmless(client.json("/status")["swarm"]["quorum"])
        console = open_console()
        print_members(console, harmless_values(members))
    if missing:
        console.print(Text(f"Nothing can be decided: {missing}.", "bold red"))
    return 0


def print_members(console: Console, members: list[MemberInfo]) -> None:
    """Print the members."""
    has_offers = any(offer_in_short(member) for member in members)
    shown = len(_COLUMNS) if has_offers else len(_COLUMNS) - 1
    rows = [_member_row(member)[:shown] for member in members]
    print_table(console, "Members", _COLUMNS[:shown], rows, "none")
    if has_offers:
        console.print(Text("offers: S self-play, T training, M matches; the measured rates are in --json", "dim"))
        console.print()


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
        offer_in_short(member) or "–",
    )
