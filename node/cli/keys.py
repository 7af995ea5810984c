"""`ringrift-node keygen` and `id`: a key for a new member, and the two lines that swarm.toml lists it by."""

import argparse
from pathlib import Path

from consensus.preimages import Preimages
from node.config.identity import IdentityError, create_identity, load_identity
from node.config.toml import ConfigError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `keygen` and `id`."""
    parser.add_argument("key", type=Path, metavar="KEYFILE", help="the key, in a file that only its owner can read")


def main(options: argparse.Namespace) -> int:
    """Print id and anchor of the key, which `keygen` makes first, as they stand in a [[member]]."""
    try:
        identity = create_identity(options.key) if options.command == "keygen" else load_identity(options.key)
    except IdentityError as error:
        raise ConfigError(str(error)) from None
    print(f'id = "{identity.text}"')
    print(f'anchor = "{Preimages(identity.key, 0).anchor.hex()}"')
    return 0
