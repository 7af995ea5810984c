"""What `propose` and `vote` share: the node on this machine acts, and the command can wait for the outcome."""

import argparse
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from node.api.proposals import ProposalInfo
from node.cli.client import Client, find_own_node
from node.cli.lines import is_watched, print_line, say
from node.cli.reading import expecting_form, print_json
from node.config.toml import ConfigError
from node.text.formatting import plural

_POLL_S = 0.5
_WAIT_LIMIT_S = 3600.0  # a swarm without a quorum decides nothing
_MAX_MISSES = 20  # polls in a row at which the node does not know the proposal
AT_ONCE = ("set", "add", "pause", "resume")  # changes that need no further epoch
_EXIT_STATUSES = {"in force": 0, "dropped": 1, "refused": 1}


def add_action_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of a command that makes a node act."""
    parser.add_argument(
        "--data",
        type=Path,
        default=Path(),
        metavar="DIR",
        help="data folder of the node that acts (default: this folder)",
    )
    parser.add_argument(
        "--wait", action="store_true", help="wait until it is decided; exit status 0 in force, 1 not agreed on"
    )
    parser.add_argument(
        "--wait-limit",
        type=float,
        default=_WAIT_LIMIT_S,
        metavar="SECONDS",
        help=f"with --wait: end after so long, with exit status 1 (default {_WAIT_LIMIT_S:g})",
    )
    parser.add_argument("--json", action="store_true", help="print the proposal as one JSON value")


def act(
    options: argparse.Namespace, path: str, request: Mapping[str, Any], describe: Callable[[ProposalInfo], list[str]]
) -> int:
    """Make the node do what `request` says, print the lines of `describe`, and wait if told to.

    Return 1 if the proposal was waited for and is not in force, else 0.
    """
    client, token = find_own_node(options.data)
    status = 0
    with expecting_form(client, path):
        proposal: ProposalInfo = client.post(path, token, request)
        if not options.json:
            _print(describe(proposal))
        if options.wait:
            proposal = _wait(client, proposal, options.wait_limit)
            status = _EXIT_STATUSES.get(proposal["state"], 1)
            if not options.json:
                _print([_outcome(client, proposal)])
    if options.json:
        print_json(proposal)
    return status


def _print(lines: list[str]) -> None:
    for line in lines:
        print_line(line)
    sys.stdout.flush()  # what follows may take long


def needs(proposal: ProposalInfo) -> str:
    """Return what decides a proposal, and what then happens, in words."""
    if proposal["needs"] == 0:
        return "this node is an operator of the swarm, so it holds as soon as it is ordered"
    decides = f"{proposal['needs']} of weight {proposal['total']} decide (more than 2/3)"
    if proposal["change"] in AT_ONCE:
        return f"{decides}, and it holds from the round in which they have"
    return f"{decides}, then this epoch closes and the next begins with the change"


def _wait(client: Client, proposal: ProposalInfo, limit_s: float) -> ProposalInfo:
    """Return the proposal once it is decided, or as it is after `limit_s`. Raise ConfigError if the node forgot it."""
    name, misses, until = proposal["proposal"], 0, time.monotonic() + limit_s
    told: object = proposal["approve"], proposal["reject"]
    while misses < _MAX_MISSES:
        found: list[ProposalInfo] = [entry for entry in client.json("/proposals") if entry["proposal"] == name]
        if found and (found[0]["state"] in _EXIT_STATUSES or time.monotonic() > until):
            return found[0]
        if found and (found[0]["approve"], found[0]["reject"]) != told:
            told = found[0]["approve"], found[0]["reject"]
            if is_watched():
                say(f"{found[0]['approve']} : {found[0]['reject']}, needs {found[0]['needs']}; waiting")
        misses = 0 if found else misses + 1
        time.sleep(_POLL_S)
    raise ConfigError(
        f"the node does not know proposal {name[:10]} any more (was it restarted?); "
        "ringrift-node members shows whether it is in force"
    )


def _outcome(client: Client, proposal: ProposalInfo) -> str:
    if proposal["state"] not in _EXIT_STATUSES:
        where = "ringrift-node proposals shows who has voted, and ringrift-node members who is silent"
        return f"still {proposal['state']}; {where}"
    if proposal["state"] != "in force":
        return f"{proposal['state']}: {proposal['outcome']}"
    if proposal["change"] in AT_ONCE:
        return f"in force: {proposal['text']}"
    status = client.json("/status")
    if proposal["change"] in ("leave", "key") and proposal["member"] == status["node"]["id"]:
        return "in force: this node's key is no longer a member's"
    order, swarm = status["consensus"], status["swarm"]
    members = plural(swarm["members"], "member")
    return f"in force: epoch {order['epoch']}, roster version {order['roster_version']}, {members}"
