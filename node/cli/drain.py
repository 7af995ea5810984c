"""`ringrift-node drain`: the node on this machine ends its work, and then itself."""

import argparse
import time
from pathlib import Path

from node.api.drains import DrainInfo
from node.api.endpoint import read_url
from node.cli.client import find_own_node
from node.cli.lines import print_line
from node.cli.progress import showing_progress
from node.cli.reading import expecting_form, print_json

_LOOK_S = 0.2
_ENDING_S = 15.0  # for what comes after the work: the store, the child processes


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `drain`."""
    parser.add_argument(
        "--data",
        type=Path,
        default=Path(),
        metavar="DIR",
        help="data folder of the node that ends (default: this folder)",
    )
    parser.add_argument("--no-wait", action="store_true", help="return at once, and not when the node has ended")
    parser.add_argument("--json", action="store_true", help="print the bound, and whether it has ended, as one object")


def main(options: argparse.Namespace) -> int:
    """Tell the node to end, and wait until it has; return 0, or 1 if it has not within its time."""
    client, token = find_own_node(options.data)
    url = read_url(options.data)
    with expecting_form(client, "/drain"):
        drain: DrainInfo = client.post("/drain", token, {})
        bound_s = float(drain["bound_s"])
    if not options.json:
        print_line(
            f"no new claims; results are delivered and claims given back, and the node ends within {bound_s:g} s"
        )
    with showing_progress("the node ends its work", quiet=options.json):
        ended = None if options.no_wait else _has_ended(options.data, url, bound_s)
    if options.json:
        print_json({"bound_s": bound_s, "ended": ended})
    elif ended is not None:
        late = "it has not ended; its log says why, and a second SIGTERM ends it at once"
        print_line("the node has ended" if ended else late)
    return 1 if ended is False else 0


def _has_ended(data: Path, url: str | None, bound_s: float) -> bool:
    """Wait until the node at `url` has ended; return whether it did in time."""
    deadline = time.monotonic() + bound_s + _ENDING_S
    while read_url(data) == url:
        if time.monotonic() > deadline:
            return False
        time.sleep(_LOOK_S)
    return True
