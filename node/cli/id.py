"""`ringrift-node id`: the public half of a key, as swarm.toml names the member."""

import argparse
from pathlib import Path

from node.identity import IdentityError, load_identity
from node.toml import ConfigError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `ringrift-node id`."""
    parser.add_argument("key", type=Path, metavar="KEYFILE", help="a key that `ringrift-node init` wrote")


def main(options: argparse.Namespace) -> int:
    """Print the id."""
    try:
        print(load_identity(options.key).text)
    except IdentityError as error:
        raise ConfigError(str(error)) from None
    return 0
