"""What the commands share that read a running node: which node it is, and its answer as tables or as JSON."""

import argparse
import json
import shlex
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console

from node.cli.client import Client, find_node
from node.cli.tables import open_console
from node.config.toml import ConfigError
from node.text.harmless import harmless, harmless_values

_UNFIT = (LookupError, TypeError, AttributeError, ValueError, ArithmeticError)
"""What is raised when an answer is not of the form that is read."""

_MAX_REASON_CHARS = 100


def add_node_options(parser: argparse.ArgumentParser, what: str = "the node's answer") -> None:
    """Add the options that say which node to read, and --json, which prints `what`."""
    parser.add_argument(
        "--data",
        type=Path,
        default=Path(),
        metavar="DIR",
        help="data folder of the node, or the folder of its swarm.toml (default: this folder)",
    )
    parser.add_argument("--node", metavar="URL", help="where the node serves people, such as http://127.0.0.1:8400")
    parser.add_argument("--json", action="store_true", help=f"print {what} as one JSON value")


def read_and_show(
    options: argparse.Namespace,
    path: str,
    show: Callable[[Console, Any], None],
    choose: Callable[[Any], Any] = lambda answer: answer,
) -> int:
    """Ask the node for `path` and print its answer, as JSON or with `show`; return 0.

    `choose` returns the part of the answer that is wanted. Raise ConfigError if no node answers, or if its answer lacks
    what `choose` or `show` reads.
    """
    client = find_node(options.node, options.data)
    with expecting_form(client, path):
        answer = choose(client.json(path))
    if options.json:
        print_json(answer)
        return 0
    with expecting_form(client, path):
        show(open_console(), harmless_values(answer))
    return 0


@contextmanager
def expecting_form(client: Client, path: str) -> Iterator[None]:
    """Turn what is raised when an answer of the node lacks something that is read into ConfigError."""
    try:
        yield
    except _UNFIT as error:
        what = f"{type(error).__name__}: {error}"[:_MAX_REASON_CHARS]
        raise ConfigError(
            f"the answer is not of the form that this command reads ({what}); is this a ringrift-node of this version?",
            f"{client.origin}{path}",
        ) from None


def print_json(answer: Any) -> None:
    """Print an answer of a node as one JSON value, in ASCII: so no terminal fails at it or obeys what is in it."""
    print(json.dumps(answer, indent=2, sort_keys=True))


def find_by_beginning(ids: list[str], beginning: str, things: str, command: str) -> str:
    """Return the one id that begins so. Raise ConfigError if none or several do, naming the command that lists them."""
    if not ids:
        raise ConfigError(f"there are no {things} yet; look again with {command}")
    found = [each for each in ids if each.startswith(beginning)]
    if len(found) == 1:
        return found[0]
    if not beginning:
        raise ConfigError(f"there are {len(found)} {things}; say the id of one; {command} lists them")
    raise ConfigError(f'{len(found) or "no"} {things} have an id that begins with "{beginning}"; {command} lists them')


def verify_command(client: Client, file: Path) -> str:
    """Return the command that checks a file against the swarm of this node. Raise ConfigError as `Client.json` does."""
    with expecting_form(client, "/status"):
        genesis = harmless(client.json("/status")["swarm"]["genesis"])
    return f"ringrift-node verify {shlex.quote(str(file))} --genesis-digest {genesis}"


def save_new(file: Path, data: bytes) -> None:
    """Write a new file. Raise ConfigError if it exists or cannot be written."""
    try:
        with file.open("xb") as target:
            target.write(data)
    except FileExistsError:
        raise ConfigError("exists already and is not overwritten; choose another name", file) from None
    except OSError as error:
        raise ConfigError(f"cannot be written ({error.strerror}); choose another place", file) from None
