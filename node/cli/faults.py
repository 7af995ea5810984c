"""`ringrift-node faults`: the results that were proven wrong, or the proof of one to keep."""

import argparse
from pathlib import Path

from rich.console import Console

from node.api.faults import ProofInfo
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
from node.config.toml import ConfigError
from node.text.formatting import count, moment, short
from node.text.harmless import harmless

_COLUMNS = ("result", "reported by", "?configuration", "slot", "proven (UTC)", "?found by", "reason", "proof")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `faults`."""
    parser.add_argument("id", nargs="?", metavar="ID", help="the wrong result; the beginning of its id is enough")
    parser.add_argument("--save", type=Path, metavar="FILE", help="write its proof to a new file")
    add_node_options(parser)


def main(options: argparse.Namespace) -> int:
    """Show the wrong results, or save a proof to a file; return 0."""
    if options.id or options.save:
        return _fetch_one(find_node(options.node, options.data), options.id or "", options.save)
    return read_and_show(options, "/faults", _show)


def _fetch_one(client: Client, beginning: str, file: Path | None) -> int:
    with expecting_form(client, "/faults"):
        listed = [harmless(entry["result"]) for entry in client.json("/faults")]
    name = find_by_beginning(listed, beginning, "wrong results", "ringrift-node faults")
    if file is None:
        raise ConfigError(f"the proof of {name[:8]} is not text; say with --save FILE where to write it")
    proof, command = client.get(f"/faults/{name}"), verify_command(client, file)
    save_new(file, proof)
    print_line(f"{file}: proof of {name}; check it with {command}")
    return 0


def _show(console: Console, faults: list[ProofInfo]) -> None:
    print_table(console, "Wrong results", _COLUMNS, [_proof_row(entry) for entry in faults], "none")


def _proof_row(entry: ProofInfo) -> Cells:
    return (
        short(entry["result"]),
        entry["name"],
        entry["configuration"],
        f"{count(entry['slot'])} of candidate {short(entry['candidate'])}",
        moment(entry["time"]),
        f"weight {count(entry['found'])} of {count(entry['weight'])}",
        entry["reason"],
        state_text("kept here" if entry["kept"] else "not here"),
    )
