"""All checks of one node, in the order in which a person would make them."""

import os
from collections.abc import Iterator
from pathlib import Path

from node.blobs.s3 import Bucket
from node.config.identity import Identity, IdentityError, hold_key
from node.config.swarm_file import RunOptions, SwarmConfig
from node.preflight.archive import check_archive
from node.preflight.finding import Finding, ok
from node.preflight.host import check_clock, check_disk, check_limits, check_port
from node.preflight.libraries import check_libraries
from node.preflight.members import check_members
from node.preflight.swarm import check_key, check_swarm
from node.transport.tls import Credentials


async def check_node(
    config: SwarmConfig, identity: Identity, key_file: Path, data: Path, options: RunOptions
) -> list[Finding]:
    """Return what is found. Nothing stays but the folder for compiled kernels, and no event is made."""
    findings = [*check_swarm(config), *check_key(config, identity), *check_clock(), *check_disk(data), *check_limits()]
    findings += _check_ports(key_file, options)
    findings += check_libraries(options.roles)
    if options.archive is not None:
        findings += await check_archive(Bucket(options.archive))
    others = [member for member in config.members if member.id != identity.id]
    findings += await check_members(Credentials(identity, [member.id for member in others]), others)
    return findings


def _check_ports(key_file: Path, options: RunOptions) -> Iterator[Finding]:
    try:
        os.close(hold_key(key_file))
    except IdentityError:
        yield ok("port", "a node with this key runs on this machine, so its ports are in use")
        return
    yield from check_port("peers", "--listen", options.listen)
    if options.http.port:
        yield from check_port("people", "--http", options.http)
