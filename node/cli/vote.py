"""`ringrift-node vote`: the node on this machine votes on a proposal."""

import argparse

from node.api.proposals import ProposalInfo
from node.cli.acting import act, add_action_options, needs


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `vote`."""
    parser.add_argument("proposal", metavar="PROPOSAL", help="id of the proposal, or the beginning of it")
    parser.add_argument(
        "verdict", metavar="yes|no", choices=("yes", "no"), help="the ballot; the first one of a member counts"
    )
    add_action_options(parser)


def main(options: argparse.Namespace) -> int:
    """Vote, say how the proposal is doing, and wait if told to; return the exit status."""

    def describe(proposal: ProposalInfo) -> list[str]:
        votes = f"{proposal['approve']} for it, {proposal['reject']} against"
        ends = () if proposal["known"] else ("this program does not know it: if it passes, the node here ends",)
        return [
            f"voted {options.verdict} on {proposal['proposal'][:10]}: {proposal['text']}",
            f"before this ballot {votes}; {needs(proposal)}",
            *ends,
        ]

    request = {"proposal": options.proposal, "approve": options.verdict == "yes"}
    return act(options, "/vote", request, describe)
