"""`ringrift-node doctor`: what is wrong with a running node and its swarm, why, and what to do."""

import argparse
from pathlib import Path

from node.api.endpoint import read_url
from node.cli.client import Client, find_node, folders_of_nodes
from node.cli.findings import report_findings
from node.cli.progress import showing_progress
from node.cli.reading import add_node_options, expecting_form


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `doctor`."""
    add_node_options(parser)
    parser.epilog = "Exit status: 1 if there is a fault. Before a node starts, ringrift-node check looks at the same."


def main(options: argparse.Namespace) -> int:
    """Show what was found; return 1 if there is a fault. Raise ConfigError if no node answers."""
    import trio

    from node.preflight.running import examine

    client = find_node(options.node, options.data)
    progress = showing_progress("asking at the addresses of the members", quiet=options.json)
    with progress, expecting_form(client, "/status"):
        status, members = client.json("/status"), client.json("/members")
        findings = trio.run(examine, status, members, _folder(client, options.data))
    return report_findings(findings, as_json=options.json)


def _folder(client: Client, data: Path) -> Path | None:
    """Return the data folder of the node that answered; None if it is not in or just below `data`."""
    return next((folder for folder in folders_of_nodes(data) if read_url(folder) == client.origin), None)
