"""`ringrift-node id`: prints the two lines by which swarm.toml lists a key."""

import argparse
from pathlib import Path

from node.cli.keygen import print_identity
from node.config.identity import load_identity


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `id`."""
    parser.add_argument("key", type=Path, metavar="KEYFILE", help="the key, as init or keygen wrote it")
    parser.add_argument("--json", action="store_true", help="print id and anchor as one JSON object")


def main(options: argparse.Namespace) -> int:
    """Print the id and anchor of the key, and return 0. Raise ConfigError if it cannot be read."""
    print_identity(load_identity(options.key), as_json=options.json)
    return 0
