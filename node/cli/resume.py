"""`ringrift-node resume`: the node on this machine proposes that paused work goes on."""

import argparse

from node.cli import pause
from node.cli.propose import propose


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `resume`."""
    pause.add_arguments(parser)


def main(options: argparse.Namespace) -> int:
    """Propose that work goes on; return the exit status."""
    return propose(options, change="resume")
