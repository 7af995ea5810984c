"""`ringrift-node debug`: one archive with all that helps to find a fault, without keys and tokens."""

import argparse
import base64
import contextlib
import io
import json
import os
import platform
import re
import shutil
import sys
import tarfile
import time
from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from node.api.endpoint import read_token, read_url
from node.cli.client import Client, find_node, folders_of_nodes
from node.cli.lines import print_line
from node.cli.logs import read_log
from node.cli.progress import showing_progress
from node.cli.reading import add_node_options, print_json, save_new
from node.config.toml import ConfigError

_PATHS = (
    "status", "members", "work", "steering", "models", "ratings", "proposals", "certificates", "faults", "metrics",
)  # fmt: skip
_LOCAL_FILES = ("worker*.log*", "checker*.log*", "play.log*", "rates.json", "http.json")
_MAX_FILE_BYTES = 2 * 1024 * 1024  # of each, the end of it
_REMOVED = b"[removed]"
_PEM = re.compile(rb"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.DOTALL)
_LEAST_SECRET_BYTES = 8  # a shorter line of a file that is called a key is none


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `debug`."""
    parser.add_argument(
        "--save", type=Path, metavar="FILE", help="the new archive (default: ringrift-debug-TIME.tar.gz in this folder)"
    )
    add_node_options(parser, "the name of the archive and of what is in it")
    parser.epilog = (
        "The archive has what the node serves people, its log of the order, the doctor's findings, the logs of its "
        "workers, and names and sizes of the files in its data folder. It has names and addresses of members, but "
        "neither keys nor tokens. A node that does not answer is left out, with the reason."
    )


def main(options: argparse.Namespace) -> int:
    """Write the archive, say where it is, and return 0. Raise ConfigError if it cannot be written."""
    target = options.save or Path(f"ringrift-debug-{datetime.now(UTC):%Y%m%d-%H%M%S}.tar.gz")
    entries: dict[str, bytes] = {}
    secrets = _secrets(options.data)
    with showing_progress("collecting", quiet=options.json) as progress:
        for name, data in _collect(options):
            entries[name] = _without(data, secrets)
            progress.tell(f"collected {name}", done=len(entries))
    save_new(target, _pack(entries))
    if options.json:
        print_json({"file": str(target), "entries": sorted(entries)})
    else:
        print_line(f"{target}: {len(entries)} files, without keys and tokens; it has names and addresses of members")
    return 0


def _collect(options: argparse.Namespace) -> Iterator[tuple[str, bytes]]:
    """Yield names and contents of the files in the archive."""
    yield "machine.json", _encode(_machine(options.data))
    folder: Path | None = None
    try:
        client = find_node(options.node, options.data)
        yield from _told(client)
        folder = next((each for each in folders_of_nodes(options.data) if read_url(each) == client.origin), None)
    except ConfigError as error:
        yield "no-node.txt", f"{error}\n".encode()
    if folder is None and options.node is None:
        folder = options.data
    if folder is not None:
        yield from _kept(folder)


def _told(client: Client) -> Iterator[tuple[str, bytes]]:
    answers: dict[str, Any] = {}
    for path in _PATHS:
        name = f"node/{path}.{'txt' if path == 'metrics' else 'json'}"
        try:
            yield name, client.get(f"/{path}")
        except ConfigError as error:
            answers[path] = str(error)
    try:
        yield "node/log.json", _encode(read_log(client))
        yield "node/doctor.json", _encode(_diagnosis(client))
    except (ConfigError, LookupError, TypeError, AttributeError, ValueError, ArithmeticError) as error:
        answers["log or doctor"] = str(error)
    if answers:
        yield "node/no-answer.json", _encode(answers)


def _diagnosis(client: Client) -> list[Any]:
    import trio

    from node.preflight.running import examine

    return [asdict(finding) for finding in trio.run(examine, client.json("/status"), client.json("/members"), None)]


def _kept(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Yield what helps of a data folder; of everything else only its name, size, mode and time."""
    for file in sorted(file for pattern in _LOCAL_FILES for file in folder.glob(pattern)):
        try:
            yield f"data/{file.name}", _end_of(file)
        except OSError:
            continue
    yield "data/files.txt", "".join(sorted(_listing(folder))).encode(errors="backslashreplace")


def _end_of(file: Path) -> bytes:
    with open(os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW), "rb") as source:
        source.seek(max(0, os.fstat(source.fileno()).st_size - _MAX_FILE_BYTES))
        return source.read(_MAX_FILE_BYTES)


def _listing(folder: Path) -> Iterator[str]:
    for path in folder.rglob("*"):
        try:
            status = path.lstat()
        except OSError:
            continue
        when = datetime.fromtimestamp(status.st_mtime, UTC)
        yield f"{path.relative_to(folder)} {status.st_size} {status.st_mode:o} {when:%Y-%m-%dT%H:%M:%S}Z\n"


def _machine(data: Path) -> dict[str, Any]:
    from node.system.version import source_digest, version

    place = next(folder for folder in (data, *data.absolute().parents) if folder.exists())
    disk = shutil.disk_usage(place)
    packages = sorted(
        f"{found.metadata['Name']} {found.version}" for found in metadata.distributions() if found.metadata["Name"]
    )
    return {
        "time": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
        "version": version(),
        "sources": source_digest().hex(),
        "python": sys.version,
        "platform": platform.platform(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "disk_free_bytes": disk.free,
        "disk_bytes": disk.total,
        "packages": packages,
    }


def _secrets(data: Path) -> list[bytes]:
    """Return the secrets that lie in or beside the data folders, in every form in which they could be written."""
    found: list[bytes] = []
    for folder in (data, *folders_of_nodes(data)):
        with contextlib.suppress(OSError, ValueError):
            found.append(read_token(folder).encode())
        for key in (*folder.glob("*.key"), *folder.absolute().parent.glob("*.key")):
            found.extend(_forms_of_key(key))
    return [secret for secret in dict.fromkeys(found) if len(secret) >= _LEAST_SECRET_BYTES]


def _forms_of_key(file: Path) -> Iterator[bytes]:
    from node.config.identity import IdentityError, load_identity

    try:
        yield from (line.strip() for line in _end_of(file).splitlines() if not line.startswith(b"-----"))
        seed = load_identity(file).private.private_bytes_raw()
    except (IdentityError, OSError):  # no key of ours: its lines are left out all the same
        return
    yield from (seed, seed.hex().encode(), seed.hex().upper().encode())
    yield from (base64.b64encode(seed).rstrip(b"="), base64.b32encode(seed).rstrip(b"="))


def _without(data: bytes, secrets: list[bytes]) -> bytes:
    """Return what is kept of a file: no secret that is known, and nothing that looks like a private key."""
    data = _PEM.sub(_REMOVED, data)
    for secret in secrets:
        data = data.replace(secret, _REMOVED)
    return data


def _pack(entries: dict[str, bytes]) -> bytes:
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w:gz") as tar:
        for name, data in entries.items():
            member = tarfile.TarInfo(f"ringrift-debug/{name}")
            member.size, member.mtime, member.mode = len(data), int(time.time()), 0o644
            tar.addfile(member, io.BytesIO(data))
    return archive.getvalue()


def _encode(value: Any) -> bytes:
    return json.dumps(value, indent=1, sort_keys=True).encode()
