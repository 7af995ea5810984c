"""`ringrift-node propose`: the node on this machine proposes a change of the roster."""

import argparse

from node.api.proposals import ProposalInfo
from node.cli.acting import act, add_action_options, needs
from node.cli.lines import words

_CHANGES = {
    "join": "a new member joins; give its id, as ringrift-node id KEYFILE prints it, and where the others reach it",
    "leave": "a member leaves; its claims end and its ballots vanish",
    "weight": "a member gets another weight; 0 takes its vote and leaves it in the swarm",
    "key": "a member goes on with another key, as after a loss; the id of the new key takes the place of the old one",
    "address": "a member has moved; give where the others reach it now",
}
_FIELDS = ("change", "member", "weight", "address", "key", "reason")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `propose`, a subcommand for each kind of change."""
    changes = parser.add_subparsers(title="changes", metavar="CHANGE", dest="change", required=True)
    for name, purpose in _CHANGES.items():
        change = changes.add_parser(name, help=purpose, description=f"Propose: {purpose}.")
        if name == "join":
            change.add_argument("member", metavar="ID", help="id of the newcomer, all 52 characters")
        else:
            change.add_argument("member", metavar="MEMBER", help="its name, its id, or the beginning of the id")
        if name == "weight":
            change.add_argument("weight", type=int, metavar="N", help="the new weight; only ratios matter")
        if name == "key":
            change.add_argument("key", metavar="ID", help="id of the new key, as ringrift-node id KEYFILE prints it")
            change.add_argument("--address", metavar="HOST:PORT", help="where it is reached (default: where it was)")
        if name == "address":
            change.add_argument("address", metavar="HOST:PORT", help="where the others reach it")
        if name == "join":
            change.add_argument("--address", required=True, metavar="HOST:PORT", help="where the others reach it")
            change.add_argument("--weight", type=int, default=1, metavar="N", help="its weight in votes (default 1)")
        change.add_argument("--reason", type=words, required=True, metavar="TEXT", help="one line for those who vote")
        add_action_options(change)


def main(options: argparse.Namespace) -> int:
    """Propose the change, say what it needs, and wait if told to; return the exit status."""
    request = {name: value for name in _FIELDS if (value := getattr(options, name, None)) is not None}
    return act(options, "/propose", request, _describe)


def _describe(proposal: ProposalInfo) -> list[str]:
    name = proposal["proposal"][:10]
    lines = [f"proposed {name}: {proposal['text']}", f"{proposal['approve']} for it so far; {needs(proposal)}"]
    if proposal["approve"] < proposal["needs"]:
        lines.append(f"the others vote with: ringrift-node vote {name} yes --data DIR")
    return lines
