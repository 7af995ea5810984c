"""The command line `ringrift-node`."""

import sys


def main() -> int:
    """Entry point of `ringrift-node`."""
    print("ringrift-node: not built yet", file=sys.stderr)
    return 2
