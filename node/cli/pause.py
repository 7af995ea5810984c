"""`ringrift-node pause`: the node on this machine proposes that work pauses."""

import argparse

from node.cli.acting import add_action_options
from node.cli.lines import words
from node.cli.propose import propose

_WORK = ("selfplay", "train", "match", "rate")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `pause`, which are those of `resume`, too."""
    parser.add_argument("--work", choices=_WORK, help="this kind of work only (default: all)")
    parser.add_argument("--configuration", metavar="C", help="this configuration only, such as hex8-2 (default: all)")
    parser.add_argument("--reason", type=words, required=True, metavar="TEXT", help="one line for those who vote")
    add_action_options(parser)


def main(options: argparse.Namespace) -> int:
    """Propose that work pauses; return the exit status."""
    return propose(options, change="pause")
