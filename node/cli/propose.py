"""`ringrift-node propose`: the node on this machine proposes a change of the roster or of what the swarm does."""

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
    "set": "a setting gets another value, in the whole swarm or for one configuration",
    "add": "one more configuration is played",
}
_FIELDS = (
    "change",
    "member",
    "weight",
    "address",
    "key",
    "name",
    "setting",
    "value",
    "configuration",
    "work",
    "reason",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `propose`, a subcommand for each kind of change."""
    changes = parser.add_subparsers(title="changes", metavar="CHANGE", dest="change", required=True)
    for name, purpose in _CHANGES.items():
        change = changes.add_parser(name, help=purpose, description=f"Propose: {purpose}.")
        if name == "join":
            change.add_argument("member", metavar="ID", help="id of the newcomer, all 52 characters")
        elif name == "set":
            change.add_argument("setting", metavar="KEY", help="which one, as section.name: selfplay.games")
            change.add_argument(
                "value", nargs="?", metavar="VALUE",
                help="its new value: 64, 13/20, 0.65, c16b2; without one, that of the whole swarm holds in C again",
            )  # fmt: skip
            change.add_argument("--configuration", metavar="C", help="for this one only, such as hex8-2 (default: all)")
        elif name == "add":
            change.add_argument("configuration", metavar="NAME", help="as board-players: hexagonal-3")
        else:
            change.add_argument("member", metavar="MEMBER", help="its name, its id, or the beginning of the id")
        if name == "weight":
            change.add_argument("weight", type=int, metavar="N", help="the new weight; only ratios matter")
        if name == "key":
            change.add_argument("key", metavar="ID", help="id of the new key, as ringrift-node id KEYFILE prints it")
            change.add_argument("--address", metavar="HOST:PORT", help="where it is reached (default: where it was)")
        if name in ("join", "key"):
            usual = "none" if name == "join" else "the one before"
            change.add_argument("--name", metavar="NAME", help=f"by which all nodes are to know it (default: {usual})")
        if name == "address":
            change.add_argument("address", metavar="HOST:PORT", help="where the others reach it")
        if name == "join":
            change.add_argument("--address", required=True, metavar="HOST:PORT", help="where the others reach it")
            change.add_argument("--weight", type=int, default=1, metavar="N", help="its weight in votes (default 1)")
        change.add_argument("--reason", type=words, required=True, metavar="TEXT", help="one line for those who vote")
        add_action_options(change)


def main(options: argparse.Namespace) -> int:
    """Propose the change, say what it needs, and wait if told to; return the exit status."""
    return propose(options)


def propose(options: argparse.Namespace, **more: str) -> int:
    """Propose what the options and `more` say together; return the exit status."""
    given = {**vars(options), **more}
    request = {name: given[name] for name in _FIELDS if given.get(name) is not None}
    return act(options, "/propose", request, _describe)


def _describe(proposal: ProposalInfo) -> list[str]:
    name = proposal["proposal"][:10]
    if proposal["state"] == "in force":
        return [f"proposed {name}: {proposal['text']}", "in force already"]
    if not proposal["needs"]:
        return [f"proposed {name}: {proposal['text']}", needs(proposal)]
    lines = [f"proposed {name}: {proposal['text']}", f"{proposal['approve']} for it so far; {needs(proposal)}"]
    if proposal["approve"] < proposal["needs"]:
        lines.append(f"the others vote with: ringrift-node vote {name} yes --data DIR")
    return lines
