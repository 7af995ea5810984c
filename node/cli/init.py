"""`ringrift-node init`: founds a swarm in a directory."""

import argparse
import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from consensus.keys import id_text
from node.cli.lines import words
from node.cli.reading import print_json
from node.config.address import Address, is_numeric, parse_address
from node.config.founding import CONFIG_NAME, DEFAULT_PORT, Founded, check_addresses, found_swarm
from node.config.swarm_file import SwarmConfig, SwarmMember, load_config
from node.config.toml import ConfigError
from node.text.formatting import fragility, plural

_FIT = re.compile("[A-Za-z0-9][A-Za-z0-9._-]{0,31}")  # to be the name of a member and of a file


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `init`."""
    parser.add_argument("directory", type=Path, metavar="DIR", help="where to write swarm.toml and the keys")
    who = parser.add_mutually_exclusive_group()
    who.add_argument(
        "--members",
        type=int,
        default=1,
        metavar="N",
        help=f"a swarm of N nodes on this machine, on ports {DEFAULT_PORT}, {DEFAULT_PORT + 1}, ... (default 1)",
    )
    who.add_argument(
        "--hosts",
        metavar="A,B,C",
        help=f"one node on each of these hosts: HOST or HOST:PORT (default port {DEFAULT_PORT})",
    )
    parser.add_argument("--name", type=words, default="swarm", help="the swarm's name (default swarm)")
    parser.add_argument(
        "--configurations",
        default="hex8-2",
        metavar="C,D",
        help="what is played, such as hex8-2,square8-3 (default hex8-2)",
    )
    parser.add_argument("--json", action="store_true", help="print what was written, and for whom, as one JSON object")


def main(options: argparse.Namespace) -> int:
    """Write the files, say how to go on, and return 0."""
    names = None
    if options.hosts is None:
        if not 1 <= options.members <= 256:
            raise ConfigError("a swarm has 1 to 256 members; choose such a number", f"--members {options.members}")
        addresses = [f"127.0.0.1:{DEFAULT_PORT + number}" for number in range(options.members)]
    else:
        addresses = [_with_port(host.strip()) for host in options.hosts.split(",")]
        check_addresses(addresses)
        names = _names(addresses)
    configurations = [name.strip() for name in options.configurations.split(",")]
    founded = found_swarm(options.directory, addresses, configurations, names=names, name=options.name)
    config, elsewhere = load_config(founded.config), options.hosts is not None
    parts = _parts(options.directory, founded, config.members, elsewhere=elsewhere)
    if options.json:
        facts = {"config": str(founded.config), "genesis": config.genesis.digest.hex(), "fragility": _fragility(config)}
        print_json({**facts, "members": [part.facts() for part in parts]})
    else:
        _print_next_steps(config, parts, elsewhere=elsewhere)
    return 0


def _fragility(config: SwarmConfig) -> str:
    """Return which members the swarm of this file cannot do without, and the remedy; "" if there are none."""
    indispensable = {member.id for member in config.genesis.roster.indispensable}
    return fragility([member.name for member in config.members if member.id in indispensable])


def _with_port(host: str) -> str:
    has_port = "]:" in host if host.startswith("[") else ":" in host
    return host if has_port else f"{host}:{DEFAULT_PORT}"


def _names(addresses: list[str]) -> list[str] | None:
    """Return names by host: the first label, else the whole host, else with the port; None if none of these will do.

    Nor do they where all members are on one host. They are files, too: NAME.key.
    """
    places = [parse_address(address) for address in addresses]
    if len({place.host for place in places}) == 1 < len(places):
        return None
    for name_of in (_first_label, _whole_host, _host_and_port):
        names = [name_of(place) for place in places]
        if len(set(names)) == len(names) and all(_FIT.fullmatch(name) for name in names):
            return names
    return None


def _first_label(place: Address) -> str:
    return _whole_host(place) if is_numeric(place.host) else place.host.partition(".")[0]


def _whole_host(place: Address) -> str:
    return f"ip6-{place.host.strip(':').replace(':', '-')}" if ":" in place.host else place.host


def _host_and_port(place: Address) -> str:
    return f"{_whole_host(place)}-{place.port}"


@dataclass(frozen=True)
class _Kit:
    """What one member is given, and how its node is started."""

    member: SwarmMember
    key: Path
    command: str

    def facts(self) -> dict[str, str]:
        """Return the same for --json."""
        member = self.member
        return {
            "name": member.name,
            "id": id_text(member.id),
            "address": str(member.address),
            "key": str(self.key),
            "command": self.command,
        }


def _parts(directory: Path, founded: Founded, members: Sequence[SwarmMember], *, elsewhere: bool) -> list[_Kit]:
    parts = []
    for key, member in zip(founded.keys, members, strict=True):
        own = [str(founded.config), "--key", str(key), "--data", str(directory / key.stem)]
        copied = [CONFIG_NAME, "--key", key.name, "--data", "data"]
        parts.append(_Kit(member, key, f"ringrift-node run {shlex.join(copied if elsewhere else own)}"))
    return parts


def _print_next_steps(config: SwarmConfig, parts: Sequence[_Kit], *, elsewhere: bool) -> None:
    print(f"{config.path}: {plural(len(parts), 'member')}")
    if weak := _fragility(config):
        print(f"One member can stop this swarm: {weak}.")
    if elsewhere:
        _print_what_goes_where(config, parts)
        return
    for part in parts:
        print(f"{part.key}: a secret key; only its own node needs it")
    print("Start each node in a terminal of its own:" if len(parts) > 1 else "Start the node:")
    for part in parts:
        print(f"  {part.command}")


def _print_what_goes_where(config: SwarmConfig, parts: Sequence[_Kit]) -> None:
    print(f"Each host gets {CONFIG_NAME} and its own key, which is secret: no other host needs it.")
    for part in parts:
        member = part.member
        files, host = shlex.join([str(config.path), str(part.key)]), member.address.host
        print(f"{member.name} at {member.address}:")
        print(f"  scp {files} {shlex.quote(f'[{host}]' if ':' in host else host)}:")
        print(f"  {part.command}")
    print(
        "Before that, say check in the place of run. Then delete the keys here, but keep a copy where nobody reads it."
    )
