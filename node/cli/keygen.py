"""`ringrift-node keygen`: makes a key for one more member."""

import argparse
import json
from pathlib import Path

from consensus.preimages import Preimages
from node.config.identity import Identity, create_identity


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `keygen`."""
    parser.add_argument("key", type=Path, metavar="KEYFILE", help="the new key, in a file that only its owner can read")
    parser.add_argument("--json", action="store_true", help="print id and anchor as one JSON object")


def main(options: argparse.Namespace) -> int:
    """Make the key, print its id and anchor, and return 0. Raise ConfigError if it cannot be written."""
    print_identity(create_identity(options.key), as_json=options.json)
    return 0


def print_identity(identity: Identity, *, as_json: bool) -> None:
    """Print the id and anchor of a key as the two lines of a [[member]] in swarm.toml, or as a JSON object."""
    facts = {"id": identity.text, "anchor": Preimages(identity.key, 0).anchor.hex()}
    if as_json:
        print(json.dumps(facts, indent=2))
        return
    for name, text in facts.items():
        print(f'{name} = "{text}"')
