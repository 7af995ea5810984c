"""`ringrift-node keygen`: makes a key for one more member."""

import argparse
from pathlib import Path

from consensus.preimages import Preimages
from node.config.identity import Identity, IdentityError, create_identity
from node.config.toml import ConfigError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `keygen`."""
    parser.add_argument("key", type=Path, metavar="KEYFILE", help="the new key, in a file that only its owner can read")


def main(options: argparse.Namespace) -> int:
    """Make the key, print its id and anchor, and return 0."""
    try:
        print_identity(create_identity(options.key))
    except IdentityError as error:
        raise ConfigError(str(error)) from None
    return 0


def print_identity(identity: Identity) -> None:
    """Print the id and anchor of a key as the two lines of a [[member]] in swarm.toml."""
    print(f'id = "{identity.text}"')
    print(f'anchor = "{Preimages(identity.key, 0).anchor.hex()}"')
