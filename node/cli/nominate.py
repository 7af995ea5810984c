"""`ringrift-node nominate`: the node on this machine nominates an earlier model against the canonical one."""

import argparse
from pathlib import Path

from node.api.nominations import NominationInfo
from node.cli.client import find_own_node
from node.cli.lines import print_line
from node.cli.reading import expecting_form, print_json
from node.text.formatting import short


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `nominate`."""
    parser.add_argument("model", metavar="MODEL", help="digest of a model that was canonical, or the beginning of it")
    parser.add_argument("--configuration", metavar="NAME", help="which configuration, where the model was in several")
    parser.add_argument(
        "--data",
        type=Path,
        default=Path(),
        metavar="DIR",
        help="data folder of the node that acts (default: this folder)",
    )
    parser.add_argument("--json", action="store_true", help="print the nomination as one JSON value")


def main(options: argparse.Namespace) -> int:
    """Nominate the model, and say where its match is seen; return 0."""
    client, token = find_own_node(options.data)
    request = {"model": options.model}
    if options.configuration is not None:
        request["configuration"] = options.configuration
    with expecting_form(client, "/nominate"):
        nomination: NominationInfo = client.post("/nominate", token, request)
        if options.json:
            print_json(nomination)
            return 0
        model, incumbent = short(nomination["model"]), short(nomination["incumbent"])
        candidate, configuration = short(nomination["candidate"]), nomination["configuration"]
    print_line(f"nominated {model} for {configuration} as candidate {candidate}")
    print_line(f"it becomes canonical if it wins its match against {incumbent}: ringrift-node work shows it")
    return 0
