"""`ringrift-node logs`: what the order brought, a line each, and with -f what it goes on to bring."""

import argparse
import json
import sys
import time
from collections import deque
from collections.abc import Iterator
from typing import Any

from node.cli.client import Client, find_node
from node.cli.lines import print_line, say
from node.cli.reading import add_node_options, expecting_form, print_json
from node.config.toml import ConfigError
from node.text.effects import sentence
from node.text.formatting import moment
from node.text.harmless import harmless_values

_LINES = 50
_POLL_S = 1.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `logs`."""
    parser.add_argument("-f", "--follow", action="store_true", help="go on with what happens, until Ctrl-C")
    parser.add_argument(
        "-n", "--lines", type=int, default=_LINES, metavar="N", help=f"begin with the last N entries (default {_LINES})"
    )
    parser.add_argument("--all", action="store_true", help="show also what only programs care about")
    add_node_options(parser)
    parser.epilog = (
        "These are the effects of the order, the same at all nodes. What a node writes about itself is where its "
        "standard error goes. With --json and -f, one JSON value per line."
    )


def main(options: argparse.Namespace) -> int:
    """Show the entries; return 0, with -f never. Raise ConfigError if no node answers at first."""
    if options.lines < 0:
        raise ConfigError("less than none cannot be shown; write 0 or more", f"--lines {options.lines}")
    client = find_node(options.node, options.data)
    kept = read_log(client)
    shown = kept[-options.lines :] if options.lines else []
    if options.json and not options.follow:
        print_json(shown)
        return 0
    for entry in shown:
        _show(client, entry, options)
    last = kept[-1]["number"] if kept else 0
    while options.follow:
        sys.stdout.flush()
        time.sleep(_POLL_S)
        for entry in _further(client, last):
            _show(client, entry, options)
            last = entry["number"]
    return 0


def read_log(client: Client, after: int = 0) -> list[Any]:
    """Return all entries with a larger number that the node keeps, oldest first. Raise ConfigError."""
    entries: deque[Any] = deque()
    with expecting_form(client, "/log"):
        while page := client.json(f"/log?after={after:d}"):
            entries.extend(page)
            if page[-1]["number"] <= after:
                raise ValueError("its numbers do not grow")
            after = page[-1]["number"]
    return list(entries)


def _further(client: Client, last: int) -> Iterator[Any]:
    """Yield the entries after `last`; none while the node does not answer, as in a restart."""
    try:
        yield from read_log(client, last)
    except ConfigError as error:
        say(str(error))
        time.sleep(10 * _POLL_S)


def _show(client: Client, entry: Any, options: argparse.Namespace) -> None:
    if options.json:
        print(json.dumps(entry, sort_keys=True))
        return
    with expecting_form(client, "/log"):
        plain = harmless_values(entry)
        text = sentence(plain)
        if text is None and options.all:
            fields = " ".join(f"{name}={value}" for name, value in plain["fields"].items())
            text = f"{plain['name'] or 'swarm'}: {plain['kind']} {fields}"
        if text is not None:
            print_line(f"{moment(plain['time'])}  {text}")
