"""`ringrift-node top`: the swarm at work, live on a terminal, once where the output is none."""

import argparse
import io
import time
from typing import Any

from rich.console import Console
from rich.live import Live
from rich.text import Text

from node.cli.client import Client, find_node
from node.cli.members import print_members
from node.cli.reading import add_node_options, expecting_form, print_json
from node.cli.tables import OutputConsole, open_console
from node.cli.work import print_work
from node.config.toml import ConfigError
from node.text.formatting import ago, count
from node.text.harmless import harmless, harmless_values

_EVERY_S = 2.0
_LEAST_S = 0.2


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `top`."""
    parser.add_argument(
        "--every", type=float, default=_EVERY_S, metavar="SECONDS", help=f"redraw it so often (default {_EVERY_S:g})"
    )
    parser.add_argument("--once", action="store_true", help="draw it once and end, as where the output is no terminal")
    add_node_options(parser)


def main(options: argparse.Namespace) -> int:
    """Show the swarm; return 0, on a terminal after Ctrl-C. Raise ConfigError if no node answers at first."""
    if not options.every >= _LEAST_S:
        raise ConfigError(f"--every {options.every:g}: too often; write {_LEAST_S:g} or more")
    client, console = find_node(options.node, options.data), open_console()
    seen = _read(client)
    if options.json:
        print_json(seen)
    elif options.once or not console.is_terminal:
        _draw(client, console, seen)
    else:
        _live(client, console, seen, options.every)
    return 0


def _read(client: Client) -> dict[str, Any]:
    return {name: client.json(f"/{name}") for name in ("status", "members", "work")}


def _live(client: Client, console: Console, seen: dict[str, Any], every_s: float) -> None:
    with Live(console=console, screen=True, auto_refresh=False) as live:
        try:
            while True:
                live.update(_picture(client, console, seen), refresh=True)
                time.sleep(every_s)
                try:
                    seen = _read(client)
                except ConfigError as error:
                    live.update(Text(harmless(str(error)), "bold red"), refresh=True)
                    time.sleep(every_s)
        except KeyboardInterrupt:
            return


def _picture(client: Client, console: Console, seen: dict[str, Any]) -> Text:
    """Return what is drawn, cut at the size of the terminal."""
    page = io.StringIO()
    paper = OutputConsole(
        file=page, force_terminal=True, width=console.width, highlight=False, color_system="truecolor"
    )
    _draw(client, paper, seen)
    text = Text.from_ansi(page.getvalue(), no_wrap=True, overflow="crop")
    return Text("\n").join(text.split("\n")[: console.height])


def _draw(client: Client, console: Console, seen: dict[str, Any]) -> None:
    with expecting_form(client, "/status, /members or /work"):
        plain = harmless_values(seen)
        status, members = plain["status"], plain["members"]
        order, swarm, counts = status["consensus"], status["swarm"], status["counts"]
        ready = Text("ready", "green") if status["ready"] else Text(f"not ready: {status['ready_reason']}", "bold red")
        names = (status["node"]["name"], "bold"), " in ", (swarm["name"], "bold"), ": "
        console.print(Text.assemble(*names, ready))
        if swarm["quorum"]:
            console.print(Text(swarm["quorum"], "bold red"))
        decided = "none decided yet" if order["round_age_s"] is None else f"decided {ago(order['round_age_s'])}"
        played = f"{count(counts['games'])} games, {count(counts['candidates'])} candidates"
        promoted = f"{count(counts['promotions'])} promotions"
        console.print(f"epoch {count(order['epoch'])}, round {count(order['round'])}, {decided}; {played}, {promoted}")
        console.print()
        print_members(console, members)
        print_work(console, plain["work"])
