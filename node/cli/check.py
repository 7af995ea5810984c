"""`ringrift-node check`: what would keep a node from working, with the options that `run` gets."""

import argparse

from node.cli.findings import report_findings
from node.cli.progress import showing_progress
from node.cli.run import add_run_options, read_run_options


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `check`: those of `run`."""
    add_run_options(parser)
    parser.add_argument("--json", action="store_true", help="print the findings as one JSON value")
    parser.epilog = "Give it the arguments that run is to get. It makes no event. Exit status: 1 if there is a fault."


def main(options: argparse.Namespace) -> int:
    """Show what was found; return 1 if something would keep the node from working. Raise ConfigError."""
    import trio

    from node.preflight.checks import check_node

    config, identity, run_options = read_run_options(options)
    with showing_progress("asking the other members, and what the libraries can do", quiet=options.json):
        findings = trio.run(check_node, config, identity, options.key, options.data, run_options)
    return report_findings(findings, as_json=options.json)
