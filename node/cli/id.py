"""`ringrift-node id`: prints the two lines by which swarm.toml lists a key."""

import argparse
from pathlib import Path

from node.cli.keygen import print_identity
from node.config.identity import IdentityError, load_identity
from node.config.toml import ConfigError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `id`."""
    parser.add_argument("key", type=Path, metavar="KEYFILE", help="the key, as init or keygen wrote it")


def main(options: argparse.Namespace) -> int:
    """Print the id and anchor of the key, and return 0."""
    try:
        print_identity(load_identity(options.key))
    except IdentityError as error:
        raise ConfigError(str(error)) from None
    return 0
