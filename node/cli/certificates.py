"""`ringrift-node certificates`: the certificates of all promotions, or one to keep."""

import argparse
import sys
from pathlib import Path

from rich.console import Console

from node.api.certificates import CertificateInfo
from node.cli.client import Client, find_node
from node.cli.lines import print_line
from node.cli.reading import (
    add_node_options,
    expecting_form,
    find_by_beginning,
    read_and_show,
    save_new,
    verify_command,
)
from node.cli.tables import Cells, print_table, state_text
from node.text.formatting import count, moment, plural, short
from node.text.harmless import harmless, harmless_lines

_COLUMNS = ("certificate", "configuration", "model", "?replaces", "?#round", "promoted (UTC)", "?sealed by", "state")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `certificates`."""
    parser.add_argument(
        "id", nargs="?", metavar="ID", help="the certificate to print; the beginning of its id is enough"
    )
    parser.add_argument("--save", type=Path, metavar="FILE", help="write the certificate to a new file instead")
    add_node_options(parser)


def main(options: argparse.Namespace) -> int:
    """Show the certificates, print one, or save one to a file; return 0."""
    if options.id or options.save:
        return _fetch_one(find_node(options.node, options.data), options.id or "", options.save)
    return read_and_show(options, "/certificates", _show)


def _fetch_one(client: Client, beginning: str, file: Path | None) -> int:
    with expecting_form(client, "/certificates"):
        listed = [harmless(entry["id"]) for entry in client.json("/certificates")]
    name = find_by_beginning(listed, beginning, "certificates", "ringrift-node certificates")
    envelope = client.get(f"/certificates/{name}")
    if file is None:
        if sys.stdout.isatty():  # whatever answered at that address may have put anything into it
            print(harmless_lines(envelope.decode(errors="replace")))
        else:
            sys.stdout.buffer.write(envelope)
        return 0
    command = verify_command(client, file)
    save_new(file, envelope)
    print_line(f"{file}: certificate {name}; check it with {command}")
    return 0


def _show(console: Console, certificates: list[CertificateInfo]) -> None:
    rows = [_certificate_row(entry) for entry in certificates]
    print_table(console, "Certificates", _COLUMNS, rows, "none yet; the first promotion leaves the first one")


def _certificate_row(entry: CertificateInfo) -> Cells:
    return (
        short(entry["id"]),
        entry["configuration"],
        short(entry["model"]),
        short(entry["parent"]),
        count(entry["round"]),
        moment(entry["time"]),
        f"{plural(entry['seals'], 'member')}, {count(entry['sealed'])} of {count(entry['weight'])}",
        state_text("complete" if entry["complete"] else "being sealed"),
    )
