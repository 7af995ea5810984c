"""Findings as a person reads them, and as JSON: what `check` and `doctor` share."""

from collections.abc import Sequence
from dataclasses import asdict

from rich.text import Text

from node.cli.reading import print_json
from node.cli.tables import open_console
from node.preflight.finding import Finding, Level
from node.text.harmless import harmless

_STYLES = {Level.OK: "green", Level.WARNING: "yellow", Level.FAULT: "bold red"}


def report_findings(findings: Sequence[Finding], *, as_json: bool) -> int:
    """Print the findings; return 1 if there is a fault, else 0."""
    if as_json:
        print_json([asdict(finding) for finding in findings])
    else:
        _show(findings)
    return int(any(finding.level == Level.FAULT for finding in findings))


def _show(findings: Sequence[Finding]) -> None:
    console = open_console()
    width = max(len(finding.subject) for finding in findings)
    for finding in findings:
        level = Text(f"{finding.level:<8}", _STYLES[finding.level])
        console.print(Text.assemble(level, f"{finding.subject:<{width}}  ", harmless(finding.text)), soft_wrap=True)
