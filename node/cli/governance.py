"""`ringrift-node propose` and `vote`: a person's voice in the roster, through the node on this machine."""

import argparse
import json
import time
from pathlib import Path

from node.api.answers import ProposalInfo
from node.cli.client import Client, find_own_node
from node.config.toml import ConfigError
from node.text.formatting import plural

_LOOK_EVERY = 0.5  # seconds
_MISSED = 20  # looks in a row at which the node does not know the proposal
_OVER = {"in force": 0, "dropped": 1, "refused": 1}

_CHANGES = {
    "join": "a new member: its id as ringrift-node id KEYFILE prints it, and where the others reach it",
    "leave": "a member leaves; its claims end and its ballots vanish",
    "weight": "another weight; 0 takes its vote and leaves it in the swarm",
    "key": "a member goes on with another key, as after a loss; the new key's id takes the place of the old one",
    "address": "a member moved: where the others reach it",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `propose` and `vote`."""
    if parser.prog.endswith(" vote"):
        parser.add_argument("proposal", metavar="PROPOSAL", help="its id, or a beginning of it")
        ballot = "the first one of a member counts"
        parser.add_argument("verdict", metavar="yes|no", choices=("yes", "no"), help=ballot)
        _add_common(parser)
        return
    changes = parser.add_subparsers(title="changes", metavar="CHANGE", dest="change", required=True)
    for name, purpose in _CHANGES.items():
        change = changes.add_parser(name, help=purpose, description=f"Propose: {purpose}.")
        if name == "join":
            change.add_argument("member", metavar="ID", help="the newcomer's, all 52 characters")
        else:
            change.add_argument("member", metavar="MEMBER", help="its name, its id, or a beginning of the id")
        if name == "weight":
            change.add_argument("weight", type=int, metavar="N", help="only ratios matter")
        if name == "key":
            change.add_argument("key", metavar="ID", help="of the new key, as ringrift-node id KEYFILE prints it")
            change.add_argument("--address", metavar="HOST:PORT", help="where it is reached (default: where it was)")
        if name == "address":
            change.add_argument("address", metavar="HOST:PORT")
        if name == "join":
            change.add_argument("--address", required=True, metavar="HOST:PORT", help="where the others reach it")
            change.add_argument("--weight", type=int, default=1, metavar="N", help="in every vote (default 1)")
        change.add_argument("--reason", required=True, metavar="TEXT", help="one line for those who vote")
        _add_common(change)


def _add_common(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--data", type=Path, default=Path(), metavar="DIR", help="data folder of the node that acts (default: this one)"
    )
    parser.add_argument("--wait", action="store_true", help="return when it is decided: 0 in force, 1 not agreed on")
    parser.add_argument("--json", action="store_true", help="print the proposal as one JSON value")


def main(options: argparse.Namespace) -> int:
    """Put it forward, say what it needs, and wait if told to."""
    client, token = find_own_node(options.data)
    if options.command == "vote":
        wish = {"proposal": options.proposal, "approve": options.verdict == "yes"}
        answer: ProposalInfo = client.post("/vote", token, wish)
    else:
        names = ("change", "member", "weight", "address", "key", "reason")
        wish = {name: value for name in names if (value := getattr(options, name, None)) is not None}
        answer = client.post("/propose", token, wish)
    if not options.json:
        _tell(options, answer)
    status = 0
    if options.wait:
        answer = _wait(client, answer["proposal"])
        status = _OVER[answer["state"]]
        if not options.json:
            _tell_end(client, answer)
    if options.json:
        print(json.dumps(answer, indent=2, sort_keys=True, ensure_ascii=False))
    return status


def _tell(options: argparse.Namespace, answer: ProposalInfo) -> None:
    name, needs = answer["proposal"][:10], f"{answer['needs']} of weight {answer['total']} decide (more than 2/3)"
    then = "then this epoch closes and the next begins with the change"
    if options.command == "vote":
        print(f"voted {options.verdict} on {name}: {answer['text']}")
        print(f"before this ballot {answer['approve']} for it, {answer['reject']} against; {needs}, {then}")
        return
    print(f"proposed {name}: {answer['text']}")
    print(f"{answer['approve']} for it so far; {needs}, {then}")
    if answer["approve"] < answer["needs"]:
        print(f"the others vote with: ringrift-node vote {name} yes --data DIR")


def _wait(client: Client, proposal: str) -> ProposalInfo:
    missed = 0
    while missed < _MISSED:
        found: list[ProposalInfo] = [entry for entry in client.json("/proposals") if entry["proposal"] == proposal]
        if found and found[0]["state"] in _OVER:
            return found[0]
        missed = 0 if found else missed + 1
        time.sleep(_LOOK_EVERY)
    raise ConfigError(f"the node does not know proposal {proposal[:10]} any more (was it restarted?); see its members")


def _tell_end(client: Client, answer: ProposalInfo) -> None:
    if answer["state"] != "in force":
        print(f"{answer['state']}: {answer['outcome']}")
        return
    status = client.json("/status")
    if answer["change"] in ("leave", "key") and answer["member"] == status["node"]["id"]:
        print("in force: this node's key is a member no more")
        return
    order, swarm = status["consensus"], status["swarm"]
    members = plural(swarm["members"], "member")
    print(f"in force: epoch {order['epoch']}, roster version {order['roster_version']}, {members}")
