"""`status`, `members`, `work`, `models`, `certificates`, `faults`: what a running node says, as tables or as JSON."""

import argparse
import json
import sys
from pathlib import Path

from node.cli.client import Client, find_node
from node.config.toml import ConfigError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of a reading command."""
    parser.add_argument(
        "--data",
        type=Path,
        default=Path(),
        metavar="DIR",
        help="data folder of the node, or the folder of its swarm.toml (default: this folder)",
    )
    parser.add_argument("--node", metavar="URL", help="where the node serves people, such as http://127.0.0.1:8400")
    if parser.prog.endswith(" certificates"):
        parser.add_argument("id", nargs="?", metavar="ID", help="certificate to print; a beginning of its id is enough")
        parser.add_argument("--save", type=Path, metavar="FILE", help="write the certificate to a new file instead")
    if parser.prog.endswith(" faults"):
        parser.add_argument("id", nargs="?", metavar="ID", help="wrong result; a beginning of its id is enough")
        parser.add_argument("--save", type=Path, metavar="FILE", help="write the proof to a new file")
    parser.add_argument("--json", action="store_true", help="print the node's answer as one JSON value")


def main(options: argparse.Namespace) -> int:
    """Ask the node and show its answer."""
    client = find_node(options.node, options.data)
    if options.command == "certificates" and (options.id or options.save):
        return _one_certificate(client, options.id or "", options.save)
    if options.command == "faults" and (options.id or options.save):
        return _one_proof(client, options.id or "", options.save)
    answer = client.json(f"/{options.command}")
    if options.json:
        print(json.dumps(answer, indent=2, sort_keys=True, ensure_ascii=False))
        return 0
    from node.cli import tables

    tables.show(options.command, answer)
    return 0


def _one_certificate(client: Client, beginning: str, file: Path | None) -> int:
    found = [entry["id"] for entry in client.json("/certificates") if entry["id"].startswith(beginning)]
    if len(found) != 1:
        wanted = f'id begins with "{beginning}"' if beginning else "is meant (say its id)"
        raise ConfigError(f"{len(found)} certificates whose {wanted}; ringrift-node certificates lists them all")
    envelope = client.get(f"/certificates/{found[0]}")
    if file is None:
        sys.stdout.buffer.write(envelope)
        return 0
    _save(file, envelope)
    print(f"{file}: certificate {found[0]}; check it with ringrift-node verify {file} --genesis swarm.toml")
    return 0


def _one_proof(client: Client, beginning: str, file: Path | None) -> int:
    found = [entry["result"] for entry in client.json("/faults") if entry["result"].startswith(beginning)]
    if len(found) != 1:
        wanted = f'id begins with "{beginning}"' if beginning else "is meant (say its id)"
        raise ConfigError(f"{len(found)} wrong results whose {wanted}; ringrift-node faults lists them all")
    if file is None:
        raise ConfigError(f"the proof of {found[0][:8]} is no text; say with --save FILE where to write it")
    _save(file, client.get(f"/faults/{found[0]}"))
    print(f"{file}: proof of {found[0]}; check it with ringrift-node verify {file} --genesis swarm.toml")
    return 0


def _save(file: Path, data: bytes) -> None:
    try:
        with file.open("xb") as target:
            target.write(data)
    except FileExistsError:
        raise ConfigError(f"{file}: is there already and is not overwritten; choose another name") from None
    except OSError as error:
        raise ConfigError(f"{file}: cannot be written ({error.strerror}); choose another place") from None
