"""`ringrift-node upgrade-check`: can this version of the program take over from the one that a node runs?"""

import argparse
from pathlib import Path
from typing import Any

from node.cli.client import find_node, folders_of_nodes
from node.cli.findings import report_findings
from node.cli.reading import expecting_form


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `upgrade-check`."""
    parser.add_argument("config", type=Path, metavar="SWARM.TOML", help="the swarm's file")
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="data folder of the node, as in run")
    parser.add_argument("--node", metavar="URL", help="where the node serves people (default: as its data folder says)")
    parser.add_argument("--json", action="store_true", help="print the findings as one JSON value")
    parser.epilog = (
        "Run it from the new version while the node still runs the old one. It changes nothing. Exit status: 1 if "
        "there is a fault, and the node should stay with the old version."
    )


def main(options: argparse.Namespace) -> int:
    """Show what was found; return 1 if the new version would not do. Raise ConfigError if a file cannot be read."""
    from node.config.swarm_file import load_config
    from node.preflight.upgrade import check_upgrade

    config = load_config(options.config)
    told: Any = None
    if options.node is not None or folders_of_nodes(options.data):
        client = find_node(options.node, options.data)
        told = tuple(client.json(path) for path in ("/status", "/members", "/proposals"))
        with expecting_form(client, "/status, /members or /proposals"):
            return report_findings(check_upgrade(config, options.data, told), as_json=options.json)
    return report_findings(check_upgrade(config, options.data, None), as_json=options.json)
