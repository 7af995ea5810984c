"""`ringrift-node check`: what would keep a node from working, with the options that `run` gets."""

import argparse
from dataclasses import asdict

from rich.text import Text

from node.cli.reading import print_json
from node.cli.run import add_run_options, read_run_options
from node.cli.tables import open_console
from node.config.toml import ConfigError
from node.preflight.finding import Finding, Level
from node.text.harmless import harmless

_STYLES = {Level.OK: "green", Level.WARNING: "yellow", Level.FAULT: "bold red"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `check`: those of `run`."""
    add_run_options(parser)
    parser.add_argument("--json", action="store_true", help="print the findings as one JSON value")
    parser.epilog = "Say check in the place of run. It makes no event. Exit status: 1 if there is a fault."


def main(options: argparse.Namespace) -> int:
    """Show what was found; return 1 if something would keep the node from working. Raise ConfigError."""
    import trio

    from node.config.identity import IdentityError
    from node.preflight.checks import check_node

    try:
        config, identity, run_options = read_run_options(options)
    except IdentityError as error:
        raise ConfigError(str(error)) from None
    findings = trio.run(check_node, config, identity, options.key, options.data, run_options)
    if options.json:
        print_json([asdict(finding) for finding in findings])
    else:
        _show(findings)
    return int(any(finding.level == Level.FAULT for finding in findings))


def _show(findings: list[Finding]) -> None:
    console = open_console()
    width = max(len(finding.subject) for finding in findings)
    for finding in findings:
        level = Text(f"{finding.level:<8}", _STYLES[finding.level])
        console.print(Text.assemble(level, f"{finding.subject:<{width}}  ", harmless(finding.text)), soft_wrap=True)
